"""A second opinion on the configuration: checkov, in an environment of its own (`make checkov` installs it)."""

import re
import subprocess

import pytest

from tests.infra.terraform import INFRA, ROOT, unavailable

CHECKOV = ROOT / "build" / "checkov" / "bin" / "checkov"
SKIP = re.compile(r"checkov:skip=(\S+?)(?::\s*(.*))?$", re.MULTILINE)


def test_checkov_finds_nothing() -> None:
    if not CHECKOV.exists():
        unavailable("checkov is not installed; run make checkov")
    command = [str(CHECKOV), "-d", str(INFRA), "--framework", "terraform", "--skip-download", "--compact", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    counts = re.search(r"Passed checks: (\d+), Failed checks: (\d+)", done.stdout)
    assert counts, done.stdout + done.stderr
    assert (done.returncode, counts[2]) == (0, "0"), done.stdout
    assert int(counts[1]) > 20


@pytest.mark.parametrize("path", sorted(INFRA.rglob("*.tf")), ids=lambda path: str(path.relative_to(INFRA)))
def test_every_check_that_is_skipped_says_why(path: object) -> None:
    skips = SKIP.findall(path.read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    assert [check for check, reason in skips if len(reason.split()) < 8] == []
