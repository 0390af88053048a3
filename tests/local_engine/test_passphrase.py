"""Secrets at rest, in the format of Pulumi's passphrase provider."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_engine.errors import EngineError
from local_engine.passphrase import (
    CiphertextError,
    Crypter,
    WrongPassphraseError,
    find_passphrase,
)
from tests.local_engine.conftest import PASSPHRASE

KEY = Crypter(bytes(range(32)), "")


class TestSameFormatAsPulumi:
    """What the CLI encrypted opens here; what is encrypted here has the CLI's form."""

    def test_value_encrypted_by_the_cli_opens(
        self, shelf_crypter: Crypter, shelf_document: dict[str, Any]
    ) -> None:
        outputs = shelf_document["checkpoint"]["latest"]["resources"][0]["outputs"]
        assert shelf_crypter.decrypt(outputs["token"]["ciphertext"]) == '"swordfish"'

    def test_new_salt_opens_with_its_passphrase_and_no_other(self) -> None:
        salt = Crypter.create("one").salt
        version, _, check_version, nonce, _ = salt.split(":")
        assert (version, check_version, len(nonce)) == ("v1", "v1", 16)
        assert Crypter.unlock("one", salt).salt == salt
        with pytest.raises(WrongPassphraseError) as caught:
            Crypter.unlock("two", salt)
        assert str(caught.value) == (
            "The passphrase does not open this stack's secrets: set PULUMI_CONFIG_PASSPHRASE, or "
            "PULUMI_CONFIG_PASSPHRASE_FILE, to the one the stack was deployed with."
        )

    @given(st.text())
    def test_any_text_survives(self, text: str) -> None:
        assert KEY.decrypt(KEY.encrypt(text)) == text

    @given(st.text(st.characters(categories=["Cs"]), min_size=1))
    def test_lone_surrogates_survive(self, text: str) -> None:
        assert KEY.decrypt(KEY.encrypt(text)) == text

    def test_a_nonce_is_never_used_twice(self) -> None:
        assert KEY.encrypt("same") != KEY.encrypt("same")


class TestDamagedCiphertext:
    """What is no ciphertext of this key is refused; the message never carries the value."""

    @given(st.text())
    def test_text_that_is_no_ciphertext(self, text: str) -> None:
        with pytest.raises(CiphertextError) as caught:
            KEY.decrypt(text)
        assert "v1:<nonce>:<ciphertext>" in str(caught.value)

    @given(st.integers(min_value=0, max_value=10_000), st.integers(min_value=1, max_value=255))
    def test_one_changed_byte(self, position: int, change: int) -> None:
        import base64

        version, nonce, sealed = KEY.encrypt("hunter2-hunter2").split(":")
        data = bytearray(base64.b64decode(sealed))
        data[position % len(data)] ^= change
        with pytest.raises(CiphertextError) as caught:
            KEY.decrypt(f"{version}:{nonce}:{base64.b64encode(data).decode()}")
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("salt", ["", "v1", "v1:AAAA", "v2:AAAA:v1:AAAA:AAAA", "nonsense"])
    def test_salt_that_is_none(self, salt: str) -> None:
        with pytest.raises(CiphertextError, match="encryption salt does not have the form"):
            Crypter.unlock("x", salt)

    def test_repr_hides_the_key(self) -> None:
        assert repr(KEY) == "Crypter(…)"


class TestWhereThePassphraseComesFrom:
    """Pulumi's variables first, then a file of this checkout that is made on first use."""

    def test_variable_wins_and_may_be_empty(self, tmp_path: Path) -> None:
        environ = {"PULUMI_CONFIG_PASSPHRASE": "", "PULUMI_CONFIG_PASSPHRASE_FILE": "/nowhere"}
        assert find_passphrase(environ, tmp_path / "passphrase") == ""
        assert not (tmp_path / "passphrase").exists()

    def test_named_file_is_stripped(self, tmp_path: Path) -> None:
        (tmp_path / "named").write_text("  secret \n")
        environ = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "named")}
        assert find_passphrase(environ, tmp_path / "passphrase") == "secret"

    def test_named_file_missing(self, tmp_path: Path) -> None:
        environ = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "gone")}
        with pytest.raises(EngineError) as caught:
            find_passphrase(environ, tmp_path / "passphrase")
        assert str(caught.value) == (
            f"PULUMI_CONFIG_PASSPHRASE_FILE names {tmp_path / 'gone'}, which could not be read "
            "(No such file or directory): make it readable for this user, or set "
            "PULUMI_CONFIG_PASSPHRASE."
        )

    def test_generated_once_and_private(self, tmp_path: Path) -> None:
        file = tmp_path / "new" / "passphrase"
        first = find_passphrase({}, file)
        assert len(first) >= 32
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert find_passphrase({}, file) == first
        assert [entry.name for entry in file.parent.iterdir()] == ["passphrase"]

    def test_emptied_file_is_not_taken_for_an_empty_passphrase(self, tmp_path: Path) -> None:
        (tmp_path / "passphrase").write_text("")
        with pytest.raises(EngineError, match="is empty: write the stack's passphrase into it"):
            find_passphrase({}, tmp_path / "passphrase")

    def test_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(EngineError, match="could not be kept in"):
            find_passphrase({}, tmp_path / "file" / "passphrase")

    def test_passphrase_of_the_fixture(self, shelf_crypter: Crypter) -> None:
        assert Crypter.unlock(PASSPHRASE, shelf_crypter.salt).salt == shelf_crypter.salt
