"""Writes the golden files and the tables in the charts' READMEs anew: `python -m tests.helm.write`."""

from __future__ import annotations

from tests.helm.readme import readme
from tests.helm.render import CASES, GOLDEN, HELM, golden, golden_text

if __name__ == "__main__":
    for stale in GOLDEN.glob("*.yaml"):
        stale.unlink()
    for case in CASES:
        golden(case).write_text(golden_text(case))
    for chart in ("slot", "router"):
        page = HELM / chart / "README.md"
        page.write_text(readme(HELM / chart))
