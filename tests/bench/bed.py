"""What the benchmarks of the release engine stand on: a local system whose slots run the tests' artefact."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from scripts.local import system
from scripts.local.slots import SlotSpec
from scripts.local.state import State
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.local import Local

ROOT = Path(__file__).parents[2]
BUDGET_MS = 50  # from a write of the route to the last request that the slot losing users begins
ARTEFACT = ROOT / "tests" / "local" / "artefact.py"
COMMAND = ("{python}", str(ARTEFACT))
LATENCY_MS = 5
ENV = {"FAULT_LATENCY_MS": str(LATENCY_MS)}
FILE = f"""
version: 1
service: bench
platform: local
slo: {ROOT / "slo.yaml"}
artefact: {{command: ["{{python}}", "{ARTEFACT}"], env: {{FAULT_LATENCY_MS: "{LATENCY_MS}"}}}}
schema: {{min: 1, max: 1}}
steps: [100]
hold: {{duration: 1s, limit: 30s}}
gates:
  smoke: []
  analysis: {{profile: PROFILE, rate: 200, duration: 1s}}
  compare: {{margin: 0.05, latency_ms: 2000}}
bake: {{duration: 1s, limit: 30s, failure_share: 0.02}}
warm: 30m
"""
PROFILE = "{name: analysis, rate: 200, steady_s: 1, journeys: [{name: tasks, path: /tasks}]}"


class Ended(NamedTuple):
    """A command that ran in a process of its own; moments in ns, on the clock that all processes share."""

    code: int
    began: int
    ended: int
    written: tuple[int, ...]  # when it wrote the route


class Bed(NamedTuple):
    """1.0.0 has all users on blue."""

    state: State
    file: ReleaseFile
    platform: Local

    def primetrade(self, words: Sequence[str], *, die: str = "") -> Ended:
        """`primetrade release WORDS`; `die`: SIGKILL "before" or "after" it has written the route."""
        witness = self.platform.home / "witness"
        witness.write_text("")
        argv = [sys.executable, "-m", "tests.bench.witness", str(witness), die, "release", *words]
        argv += ["--home", str(self.platform.home), "--file", str(self.file.path)]
        began = time.monotonic_ns()
        run = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        ended = time.monotonic_ns()
        if run.returncode not in (0, -9):
            sys.exit(f"{' '.join(words)} ended with {run.returncode}: {run.stderr}")
        return Ended(run.returncode, began, ended, tuple(map(int, witness.read_text().split())))


@contextmanager
def bed() -> Iterator[Bed]:
    """A system of its own in a folder of its own; both are gone afterwards."""
    os.environ |= {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    with tempfile.TemporaryDirectory() as directory:
        home, path, profile = (Path(directory) / name for name in ("home", "release.yaml", "analysis.yaml"))
        profile.write_text(PROFILE)
        path.write_text(FILE.replace("PROFILE", str(profile)))
        try:
            first = SlotSpec(version="1.0.0", command=COMMAND, env=ENV)
            state = system.up(home, lambda line: None, first=first, migrate=lambda url, report: None)
            file = read_release_file(path)
            yield Bed(state, file, Local(home, file))
        finally:
            system.down(home, lambda line: None)
