"""Schema levels: what runs and what comes must work with the level that the database is brought to."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scripts.release.errors import Refused, ReleaseError
from scripts.release.memory import remember
from scripts.release.route import other
from scripts.release.run import Run
from scripts.release.slots import Range, Release, Slot
from scripts.release.step import Kind, Step

POLL_S = 0.1
_SAID = re.compile(r"schema level (\d+)")  # the last line of `python -m app.migrate`, and of any command that tells


def preflight(run: Run, step: Step) -> str:
    """The live build must work with the schema that expand leads to: it goes on serving meanwhile. Raises Refused.

    What comes works with `schema.max` by its own file; where the database is further already, parity judges it.
    """
    live, expands = run.observe().slots[other(step.slot)], bool(run.file.settings.schema.expand)
    if not live.running:
        return ""
    if expands:
        live = heard(run, live.name)[live.name]
    works, level = live.schema or remember(run.platform.journal.read()).ranges.get(live.digest), run.level
    if works is None and expands:
        raise Refused(_unknown(run, live))
    if works and not accepts(works, level):
        raise Refused(
            f"{live.name} serves {live.version}, which works with schema levels {works.min} to {works.max}; "
            f"expanding to {level} would break it: release a version in between that works with both"
        )
    return ""


def expand(run: Run, step: Step, release: Release) -> str:
    """Run the migration up to the level that is judged; its last line. Raises ReleaseError where it ends elsewhere.

    Judged once more: what a killed run found may not be so any more, and its resume begins here.
    """
    preflight(run, step)
    schema, known = run.file.settings.schema, remember(run.platform.journal.read()).level or 0
    said = run.platform.expand(schema.expand, schema.max, release, run.fence)
    level = reached(said)
    if level is None or schema.max <= level <= max(schema.max, known):
        return said
    run.note("failed", step, outcome="error", words=said, level=level)
    if level < schema.max:
        raise ReleaseError(
            f"schema.expand brought the database to level {level}, not to {schema.max} (schema.max); no slot was "
            "touched: `primetrade db contract` applies a contract step that it stopped before, or correct schema.max"
        )
    raise ReleaseError(
        f"schema.expand left the database at level {level}, over {schema.max} (schema.max); no slot was touched. "
        f"What runs and what comes must work with {level} now, and the next deploy asks for that: "
        "`primetrade release doctor` says whether what runs does"
    )


def reached(said: str) -> int | None:
    """The level that a migration says it reached; None where it does not say."""
    found = _SAID.fullmatch(said.strip())
    return int(found[1]) if found else None


def level_after(run: Run, step: Step, said: str) -> int | None:
    """What the journal keeps of an expand: the level it reached, or should have where it does not say."""
    if step.kind is not Kind.EXPAND:
        return None
    level = reached(said)
    return run.level if level is None else level


def heard(run: Run, name: str) -> Mapping[str, Slot]:
    """The slots, once this one says its version or timeouts.verify has passed: no answer yet is no statement."""
    begun, limit = run.platform.now(), run.file.settings.timeouts.verify
    while not (slots := run.observe().slots)[name].says and run.platform.now() - begun < limit:
        run.platform.sleep(POLL_S)
    return slots


def accepts(works: Range | None, level: int | None) -> bool:
    """Whether a release works with a level, as far as both are known."""
    return works is None or level is None or works.min <= level <= works.max


def _unknown(run: Run, live: Slot) -> str:
    probe, limit = run.file.settings.artefact.probes.version, run.file.settings.timeouts.verify
    silent = "states no schema levels" if live.says else f"got no answer in {limit:g} s (timeouts.verify)"
    return (
        f"{live.name} serves {live.version}, and nobody knows which schema levels that works with: its version probe "
        f"{probe} {silent}, and the journal has none. Expanding to {run.level} could break it: mend the probe, or "
        "migrate by hand and deploy with `--set schema.expand=[]`"
    )
