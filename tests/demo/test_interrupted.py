"""A demo that is stopped half-way leaves nothing running and never ends with 0."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.exits import Exit
from scripts.local.processes import marked

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.faults
@pytest.mark.parametrize(
    ("signum", "at", "expected"),
    [
        (signal.SIGINT, "warmup", Exit.INTERRUPTED),
        (signal.SIGINT, "shift", Exit.INTERRUPTED),
        (signal.SIGTERM, "analysis", Exit.TERMINATED),
    ],
)
def test_a_stopped_demo_ends_what_it_started(home: Path, signum: signal.Signals, at: str, expected: Exit) -> None:
    """At any point: one message, the exit code of the signal, no process left, and a word on what lies where."""
    log = home.parent / "demo.log"
    argv = [sys.executable, "-m", "scripts.cli", "demo", "--profile", "smoke"]
    argv += ["--home", str(home), "--out", str(home.parent / "out")]
    with log.open("wb") as output, subprocess.Popen(argv, cwd=ROOT, stdout=output, stderr=output) as demo:
        try:
            deadline = time.monotonic() + 120
            while at not in log.read_text():
                assert time.monotonic() < deadline, log.read_text()
                assert demo.poll() is None, log.read_text()
                time.sleep(0.1)
            demo.send_signal(signum)
            assert expected == demo.wait(timeout=90)
        finally:
            demo.kill()
    said = log.read_text()
    assert [] == marked(home)
    assert f"logs stay in {home / 'log'}" in said
    assert "Traceback" not in said
