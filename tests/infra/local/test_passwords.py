"""A generated password lives as long as what it opens, and no longer."""

from __future__ import annotations

import stat
from pathlib import Path

from infra.local.layout import Layout
from infra.local.passwords import PasswordProvider, kept_password
from infra.local.supervision import Supervision


def admin(tmp_path: Path, **more: object) -> dict[str, object]:
    kept_in = str(tmp_path / "secrets" / "admin-password")
    return {"purpose": "the first administrator", "value": None, "kept_in": kept_in, **more}


class TestAdministratorsPassword:
    """MLflow takes it once, at its first start: it must survive what the database survives."""

    def test_a_stack_made_anew_finds_it_beside_the_data(self, tmp_path: Path) -> None:
        provider = PasswordProvider()
        first = provider.create(admin(tmp_path))
        provider.delete(first.id, {**first.outs, "purge": False})
        assert provider.create(admin(tmp_path)).outs["value"] == first.outs["value"]

    def test_it_is_its_owners_alone(self, tmp_path: Path) -> None:
        created = PasswordProvider().create(admin(tmp_path))
        file = tmp_path / "secrets" / "admin-password"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert kept_password(file) == created.outs["value"]

    def test_it_goes_with_the_data(self, tmp_path: Path) -> None:
        provider = PasswordProvider()
        first = provider.create(admin(tmp_path, purge=True))
        provider.delete(first.id, first.outs)
        assert kept_password(tmp_path / "secrets" / "admin-password") is None

    def test_one_from_before_is_kept_from_now_on(self, tmp_path: Path) -> None:
        olds = {"purpose": "the first administrator", "value": "drawn-long-ago"}
        updated = PasswordProvider().update("x", olds, admin(tmp_path))
        assert updated.outs["value"] == "drawn-long-ago"
        assert kept_password(tmp_path / "secrets" / "admin-password") == "drawn-long-ago"

    def test_others_are_kept_nowhere(self, tmp_path: Path) -> None:
        PasswordProvider().create({"purpose": "database", "value": None})
        assert list(tmp_path.iterdir()) == []


class TestMovedCheckout:
    """Programs defined for the old place would keep supervisord from starting in the new one."""

    def test_they_are_forgotten_and_ours_are_not(self, tmp_path: Path) -> None:
        layout = Layout(tmp_path / "100% here")
        layout.programs.mkdir(parents=True)
        ours, theirs = layout.programs / "ours.conf", layout.programs / "theirs.conf"
        logs = str(layout.logs).replace("%", "%%%%")
        for file, folder in ((ours, logs), (theirs, "/elsewhere/logs")):
            section = f"[program:{file.stem}]\ncommand=/bin/true\nautostart=false\n"
            file.write_text(f"{section}stdout_logfile={folder}/x.log\n")
        supervision = Supervision(layout)
        try:
            supervision.ensure_running()
        finally:
            supervision.shut_down()
        assert ours.exists()
        assert not theirs.exists()
