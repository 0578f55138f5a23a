"""What pip-audit reports is told as it is: found, nothing found, or nothing known."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.image import audit
from scripts.image.audit import Audit, UndecidedError, judge

SEEN = {"name": "flask", "version": "3.1.3", "vulns": []}
SKIPPED = {"name": "rich", "skip_reason": "not found"}
BAD = {"name": "old", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}


def test_packages_without_findings_are_counted() -> None:
    """Nothing found, of one."""
    assert Audit(1, (), ()) == judge({"dependencies": [SEEN]})


def test_a_finding_says_where_it_is_mended() -> None:
    """Also when others could not be looked up: one finding is enough to act."""
    found = judge({"dependencies": [SEEN, BAD, SKIPPED]})
    assert ("old 1: CVE-1, mended in 2",) == found.findings
    assert ("rich",) == found.skipped


def test_a_package_that_was_not_looked_up_is_not_called_safe() -> None:
    """pip-audit itself ends with 0 then."""
    with pytest.raises(UndecidedError, match="no answer for 1 of 2 packages"):
        judge({"dependencies": [SEEN, SKIPPED]})


def test_a_database_that_takes_too_long_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is ended, and says so in a line."""
    monkeypatch.setattr(audit, "AUDIT_S", 0.01)
    (tmp_path / "app.txt").touch()
    with pytest.raises(UndecidedError, match=r"no answer for .*app\.txt within 0 s, so nothing is known"):
        audit.audit(tmp_path / "app.txt")
