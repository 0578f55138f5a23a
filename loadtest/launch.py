"""Starts the load generator as a child process and follows it; imports no Locust, which patches its process.

In the run's folder: `run.json` (what the child was told; 0600, for it may hold credentials), `live.jsonl` (a
`Second` a line, provisional), `recording.json`, and `generator.log`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec

from loadtest.errors import LoadError
from loadtest.process import lacking_files
from loadtest.profile import Profile, check_headers
from loadtest.recording import Recording, Second
from loadtest.tokens import check_lasting

RUN, LIVE, RECORDING, LOG = "run.json", "live.jsonl", "recording.json", "generator.log"
REACH_S = 5.0  # to reach the target before anything starts
START_S = 30.0  # for the child to import Locust and read its tokens, on a busy machine
STOP_S = 5.0  # for a stopped child to collect the answers that are under way


class BadRun(LoadError):  # noqa: N818 - named for what it reports
    """The run asked for makes no sense."""


class TargetUnreachable(LoadError):  # noqa: N818 - named for what it reports
    """Nothing answers at the target."""


class GeneratorDied(LoadError):  # noqa: N818 - named for what it reports
    """The child ended, or was ended, without a recording."""


class RunInvalid(LoadError):  # noqa: N818 - named for what it reports
    """Workers of the run were not there, or told nothing: whatever was measured says nothing."""


class RunConfig(msgspec.Struct, frozen=True):
    """One run. Paths are text, so that the child reads the same struct."""

    profile: Profile
    target: str  # "http://127.0.0.1:8080"
    out_dir: str
    seed: int = 1
    thresholds_ms: tuple[float, ...] = ()
    headers: dict[str, str] = {}
    arms: dict[str, dict[str, str]] = {}  # name -> headers; arrivals are dealt out evenly over the arms
    tokens_path: str | None = None  # of loadtest.seed; the built-in journeys need it
    background: bool = False  # give way to everything else on this machine; otherwise it goes before, where it may
    until_path: str | None = None  # steady goes on until this file exists, at most max_steady_s

    def longest_s(self) -> float:
        """Seconds after which this run is over whatever happens."""
        profile = self.profile
        steady = profile.steady_s if self.until_path is None else max(profile.steady_s, profile.max_steady_s)
        return START_S + profile.warmup_s + steady + profile.cooldown_s + profile.timeout_s + STOP_S


class LoadRun:
    """A load generator at work."""

    def __init__(self, config: RunConfig, process: subprocess.Popen[bytes]) -> None:
        self.config = config
        self._process = process
        self._out = Path(config.out_dir)
        self._deadline = time.monotonic() + config.longest_s()
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def process_pid(self) -> int:
        """The child's process id: what its CPU time is read by."""
        return self._process.pid

    def seconds(self) -> list[Second]:
        """The seconds written since the last call; provisional, the recording has them whole."""
        try:
            with (self._out / LIVE).open("rb") as lines:
                lines.seek(self._read)
                text = lines.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return msgspec.json.Decoder(Second).decode_lines(whole)

    def poll(self) -> int | None:
        """The child's exit code, None while it runs."""
        return self._process.poll()

    @property
    def overdue(self) -> bool:
        """Whether the run outlived its own plan; `wait` raises then."""
        return time.monotonic() > self._deadline

    def stop(self) -> None:
        """End the run now; the child writes what it has, marked as interrupted."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S * 2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S)

    def wait(self, timeout: float | None = None) -> Recording:
        """The recording, once the run is over.

        Raises TimeoutError when it is not over within `timeout` seconds (the run goes on), and GeneratorDied when
        the child ended without a recording or outlived its own plan.
        """
        left = max(0.0, self._deadline - time.monotonic())
        try:
            code = self._process.wait(left if timeout is None else min(timeout, left))
        except subprocess.TimeoutExpired:
            if timeout is not None and timeout < left:
                raise TimeoutError(f"the load run is not over after {timeout:g} s") from None
            self.stop()
            raise GeneratorDied(f"the load generator outlived its plan and was stopped; {self._tail()}") from None
        if code != 0 or not (self._out / RECORDING).is_file():
            raise GeneratorDied(f"the load generator ended with code {code} and no recording; {self._tail()}")
        return read_recording(self._out)

    def _tail(self) -> str:
        text = (self._out / LOG).read_text(errors="replace").strip()
        last = "\n".join(text.splitlines()[-12:])
        return f"the end of {self._out / LOG}:\n{last or '(empty)'}"


def launch(config: RunConfig) -> LoadRun:
    """Start the generator.

    Raises BadRun, TokensError and TargetUnreachable.
    """
    _check(config)
    out = make_folder(Path(config.out_dir))
    for name in (LIVE, RECORDING):
        (out / name).unlink(missing_ok=True)
    run = out / RUN
    run.touch(mode=0o600)
    run.write_bytes(msgspec.json.encode(config))
    with (out / LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "loadtest.child", str(run)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a ctrl-C is for the parent, which stops the child in its own time
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    if config.background:
        give_way(process.pid)
    return LoadRun(config, process)


def make_folder(path: Path) -> Path:
    """The folder of a run, made if it is not there. Raises BadRun where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise BadRun(f"the folder {path} cannot be made: {exc.strerror}; give another --out") from exc
    return path


def give_way(pid: int) -> None:
    """Let everything else on this machine go before the session of this process."""
    with contextlib.suppress(OSError):  # a kernel that does not schedule sessions as groups
        Path(f"/proc/{pid}/autogroup").write_text("10", "ascii")


def read_recording(run_dir: Path) -> Recording:
    """The recording of a run that is over. Raises LoadError when there is none that this version reads."""
    path = run_dir / RECORDING
    try:
        return msgspec.json.decode(path.read_bytes(), type=Recording)
    except OSError as exc:
        raise LoadError(f"{path}: cannot be read: {exc.strerror}; give the folder of a finished run") from exc
    except msgspec.DecodeError as exc:
        raise LoadError(f"{path}: not a recording of this version: {exc}") from exc


def _check(config: RunConfig) -> None:
    check(config)
    if config.profile.journeys == "tasks":
        if config.tokens_path is None:
            raise BadRun(
                f"profile {config.profile.name!r} sends the task API's own journeys, which need tokens: "
                "run `primetrade db seed` and give its file as --tokens, or use a profile that declares journeys"
            )
        check_lasting(Path(config.tokens_path), time.time() + config.longest_s())
    if lacking := lacking_files(config.profile.max_in_flight):
        raise BadRun(lacking)
    reach(config.target)


def check(config: RunConfig) -> None:
    """Raise BadRun for a target or headers that no run could use, wherever it is to run."""
    if "@" in config.target:  # first, and not shown: what stands before it is a secret
        raise BadRun(
            "the target holds credentials, which would end up in reports; leave out what stands before the @, "
            "and give them as --header 'Authorization: ...'"
        )
    url = urlsplit(config.target)
    try:
        url.port  # noqa: B018 - it raises for what is no port
        for headers in (config.headers, *config.arms.values()):
            check_headers(headers)
    except ValueError as exc:
        raise BadRun(str(exc)) from exc
    if url.scheme not in {"http", "https"} or not url.hostname or url.path.strip("/") or url.query:
        raise BadRun(
            f"target {config.target!r} is no http:// or https:// address of a server; "
            "give scheme, host and port, and leave paths to the journeys"
        )


def reach(target: str) -> None:
    """Raise TargetUnreachable where no connection to it can be made from here."""
    url = urlsplit(target)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.hostname or "", port), timeout=REACH_S).close()
    except OSError as exc:
        raise TargetUnreachable(
            f"target {target} cannot be reached: {exc.strerror or exc}; start it, or give another --target"
        ) from exc
