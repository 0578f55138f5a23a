"""Known vulnerabilities of the locked packages, by pip-audit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from scripts.image.errors import ImageError

AUDIT_S = 300.0
_ANSWER_S = 15  # of the database, per package


class UndecidedError(ImageError):
    """The database could not be asked, so nothing is known."""


class Audit(msgspec.Struct, frozen=True):
    """How many packages the database knows, those it could not be asked for, and a line for each vulnerability."""

    known: int
    skipped: tuple[str, ...]
    findings: tuple[str, ...]


def audit(lock: Path) -> Audit:
    """Look up a lock's packages. Raises UndecidedError where no answer was had for some."""
    words = ["--requirement", str(lock), "--require-hashes", "--disable-pip", "--format=json", "--progress-spinner=off"]
    argv = [sys.executable, "-m", "pip_audit", *words, f"--timeout={_ANSWER_S}"]
    try:  # 1 also means that something was found
        done = subprocess.run(argv, capture_output=True, text=True, timeout=AUDIT_S, check=False)
    except subprocess.TimeoutExpired as exc:
        raise UndecidedError(
            f"the database of vulnerabilities gave no answer for {lock} within {AUDIT_S:.0f} s, so nothing is known: "
            "try again later"
        ) from exc
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        tail = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise UndecidedError(f"the database of vulnerabilities gave no answer, so nothing is known:\n{tail}") from None
    return judge(report)


def judge(report: Mapping[str, Any]) -> Audit:
    """pip-audit's JSON report. Raises UndecidedError where it found nothing, but did not look everywhere."""
    found = _read(report)
    if found.skipped and not found.findings:
        raise UndecidedError(
            f"the database of vulnerabilities gave no answer for {len(found.skipped)} of "
            f"{found.known + len(found.skipped)} packages ({found.skipped[0]}, …), so nothing is known of them: run "
            "`make audit` where the package index also serves its JSON pages, as in CI"
        )
    return found


def _read(report: Mapping[str, Any]) -> Audit:
    packages = report["dependencies"]
    return Audit(
        known=sum("skip_reason" not in each for each in packages),
        skipped=tuple(each["name"] for each in packages if "skip_reason" in each),
        findings=tuple(
            f"{each['name']} {each['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'no version'}"
            for each in packages
            for one in each.get("vulns", ())
        ),
    )
