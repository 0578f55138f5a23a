"""Detached processes that can always be found again.

A process is known by pid and creation time, so a reused pid is never taken for ours. Each one also carries
`PRIMETRADE_PROCESS=name@home` in its environment: what a killed command did not get to write down is found by that.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

from scripts.local.cores import step_aside
from scripts.local.errors import StartError

MARK = "PRIMETRADE_PROCESS"
# What a started process gets of our environment; the rest is stated by its own settings, the same for everybody.
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
_POLL_S = 0.02
_MARK_S = 1.0  # for a mark to be readable; it takes microseconds
_SAYS_SO_AFTER_S = 2.0

Report = Callable[[str], object]


class Process(msgspec.Struct, frozen=True):
    """A process we started."""

    pid: int
    created: float  # seconds since the epoch, as psutil tells it
    name: str
    log: str


def start(  # noqa: PLR0913  # all but three named at the call
    home: Path,
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    aside: bool = False,
) -> Process:
    """Start a process in its own session, its output in HOME/log/NAME.log (the last run's in NAME.log.1).

    `aside` keeps it off the slots' cores. Raises StartError when the program cannot be executed.
    """
    log = home / "log" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as output:
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(home, name, env),
                cwd=cwd or home,
                start_new_session=True,
            )
        except OSError as exc:
            raise StartError(f"{name}: cannot run {argv[0]}: {exc.strerror}; is it installed and executable?") from exc
    if aside:
        with suppress(ProcessLookupError):  # it ended already: whoever waits for it says so
            step_aside(child.pid)
    child.returncode = 0  # it outlives us by design: Popen must not warn about it
    found = psutil.Process(child.pid)
    _await_mark(found)
    return Process(child.pid, found.create_time(), name, str(log))


def _await_mark(process: psutil.Process) -> None:
    """Until the mark can be read: the kernel lays out the environment a moment after it has said that it executes."""
    deadline = time.monotonic() + _MARK_S
    with suppress(psutil.Error, OSError):  # it ended already
        while MARK not in process.environ() and time.monotonic() < deadline:
            time.sleep(0.001)


def environment(home: Path, name: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process of ours: a little of this one's, `env`, and the mark."""
    passed_on = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    return {**passed_on, **(env or {}), MARK: f"{name}@{home}"}


def alive(process: Process) -> bool:
    """Whether this very process (not another one with its pid) still runs."""
    found = _find(process)
    return found is not None and not _gone(found)


def marked(home: Path, *names: str) -> list[psutil.Process]:
    """The running processes that carry this home's mark (and one of these names), whether recorded or not."""
    suffix = f"@{home}"
    found = []
    for candidate in psutil.process_iter():
        # Others' processes cannot be read, and are not ours.
        with suppress(psutil.Error, OSError):
            mark = candidate.environ().get(MARK, "")
            if mark.endswith(suffix) and (not names or mark.removesuffix(suffix) in names) and not _gone(candidate):
                found.append(candidate)
    return found


def marked_names(home: Path) -> set[str]:
    """The names under which the marked processes of a home were started."""
    names = set()
    for process in marked(home):
        with suppress(psutil.NoSuchProcess):  # a database's child may have ended since
            names.add(process.environ().get(MARK, "").partition("@")[0])
    return names - {""}


def stop(
    home: Path, name: str, recorded: Process | None, grace_s: float, signum: signal.Signals = signal.SIGTERM
) -> None:
    """End the processes of a name and all they started: signal the eldest, wait, then SIGKILL what is left."""
    stop_all(home, [name], [recorded] if recorded else [], grace_s, signum)


def stop_all(
    home: Path,
    names: Collection[str],
    recorded: Iterable[Process],
    grace_s: float,
    signum: signal.Signals = signal.SIGTERM,
) -> None:
    """The same for several names at once."""
    members = {member.pid: member for member in marked(home, *names)} if names else {}
    members |= {found.pid: found for process in recorded if (found := _find(process))}
    for member in list(members.values()):
        with suppress(psutil.NoSuchProcess):
            members |= {child.pid: child for child in member.children(recursive=True)}
    for member in members.values():
        with suppress(psutil.NoSuchProcess):
            if member.ppid() not in members:
                member.send_signal(signum)
    for member in _wait_gone(members.values(), grace_s):
        with suppress(psutil.NoSuchProcess):
            member.kill()
    _wait_gone(members.values(), 5.0)


def wait_ready(process: Process, check: Callable[[], str | None], deadline_s: float, report: Report) -> None:
    """Wait until `check` returns None rather than what is missing; `report` hears of it after two seconds.

    Raises StartError, with the end of the log, when the process ends or the deadline passes.
    """
    started = told = time.monotonic()
    while missing := check():
        now = time.monotonic()
        ending = f"Its log, {process.log}, ends:\n"
        if not alive(process):
            raise StartError(f"{process.name} ended while starting ({missing}). {ending}{log_end(process.log)}")
        if now - started > deadline_s:
            late = f"{process.name} (pid {process.pid}) did not get ready in {deadline_s:.0f} s: {missing}"
            raise StartError(f"{late}. {ending}{log_end(process.log)}")
        if now - told > _SAYS_SO_AFTER_S:
            report(f"{process.name}: still starting, {now - started:.0f} s ({missing})")
            told = now
        time.sleep(_POLL_S)


def log_end(path: str | Path, lines: int = 12) -> str:
    """The last lines of a log, indented; "(empty)" when it says nothing."""
    with suppress(OSError):
        if text := Path(path).read_text(errors="replace").strip():
            return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])
    return "  (empty)"


def _find(process: Process) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process.pid)
        # The creation time is derived from the boot time, which a clock correction moves a little.
        if abs(found.create_time() - process.created) < 1.0:
            return found
    return None


def _gone(process: psutil.Process) -> bool:
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return False
    except psutil.NoSuchProcess:
        return True
    with suppress(ChildProcessError):  # our own child is taken off the table; others' are for their parents
        os.waitpid(process.pid, os.WNOHANG)
    return True


def _wait_gone(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    deadline = time.monotonic() + timeout_s
    left = [process for process in processes if not _gone(process)]
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = [process for process in left if not _gone(process)]
    return left
