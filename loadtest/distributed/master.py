"""The master's process: `python -m loadtest.distributed.master PLAN.json`.

It waits for the workers, deals the run out, gives the word, and prints what comes back (`loadtest.distributed.log`).
It sends no request to the target itself.
"""

from __future__ import annotations

from locust.env import Environment  # first: it patches what the others import

# isort: split
import logging
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import gevent  # type: ignore[import-untyped]  # ships no types
import msgspec
from gevent.event import Event  # type: ignore[import-untyped]  # as above
from locust.runners import STATE_MISSING, MasterRunner
from locust.stats import print_stats

from loadtest.distributed import log, messages
from loadtest.distributed.merge import merged, merged_second
from loadtest.distributed.messages import Hello, Part, Plan, packed, shares, unpacked
from loadtest.errors import LoadError
from loadtest.launch import START_S, STOP_S, RunInvalid, reach
from loadtest.process import end_when_told
from loadtest.recording import Recording, Sample, Worker
from loadtest.tokens import Tokens

POLL_S: Final = 0.02
ENDED_S: Final = 3.0  # for the log of a master that was told to end to be read
QUIT_S: Final = 1.0  # for the word to end to reach the workers


class Member:
    """What the master knows of a worker."""

    def __init__(self, hello: Hello) -> None:
        self.name = hello.name
        self.node = hello.node
        self.ready = False
        self.began_s: float | None = None  # after the word to begin
        self.part: Part | None = None
        self.ended = ""

    def worker(self) -> Worker:
        """For the recording."""
        made = self.part.recording.generator if self.part else None
        return Worker(self.name, self.node, 1000 * (self.began_s or 0.0), made, self.ended)


class Master:
    """One run, from the first worker that comes to the recording."""

    def __init__(self, plan: Plan, runner: MasterRunner, say: Callable[[str], object]) -> None:
        self._plan = plan
        self._runner = runner
        self._say = say
        self._crew: dict[str, Member] = {}  # by Locust's id
        self._samples: dict[int, list[Sample]] = defaultdict(list)
        self._word_at = 0.0
        self._ending = False
        for kind, act in (
            (messages.HERE, self._here),
            (messages.READY, self._ready),
            (messages.BEGAN, self._began),
            (messages.SECOND, self._second),
            (messages.PART, self._part),
            (messages.TROUBLE, self._trouble),
        ):
            runner.register_message(kind, act)

    def run(self, tokens: Tokens | None) -> Recording:
        """All of it. Raises RunInvalid."""
        self._gather()
        for share, key in zip(shares(self._plan.config, self._plan.workers, tokens), self._crew, strict=True):
            self._runner.send_message(messages.SHARE, packed(share), key)
        if not self._wait(lambda: all(m.ready for m in self._crew.values()) or self._lost(), START_S) or self._lost():
            raise RunInvalid(f"workers could not take their share: {self._stragglers(lambda member: member.ready)}")
        epoch, self._word_at = time.time(), time.perf_counter()
        for key in self._crew:
            self._runner.send_message(messages.BEGIN, None, key)
        return self._collect(epoch)

    def end(self) -> None:
        """Before its time: the workers send what they have."""
        if not self._ending:
            self._ending = True
            for key in self._crew:
                self._runner.send_message(messages.END, None, key)

    def _gather(self) -> None:
        wanted, limit_s = self._plan.workers, self._plan.gather_s
        self._say(log.waiting(f"waiting for {wanted} workers, at most {limit_s:g} s"))
        self._wait(lambda: len(self._crew) == wanted or self._ending, limit_s)
        names = ", ".join(member.name for member in self._crew.values()) or "nobody"
        if len(self._crew) < wanted:
            raise RunInvalid(f"{len(self._crew)} of {wanted} workers were there within {limit_s:g} s: {names}")
        self._say(log.note(f"{wanted} workers are there: {names}"))

    def _collect(self, epoch: float) -> Recording:
        """Wait for all parts; from the first worker that is lost on no longer than the others take to end."""
        self._wait(lambda: self._complete() or self._lost() or self._ending, self._plan.config.longest_s())
        if not self._complete() or self._lost():
            self.end()
            self._wait(self._complete, 2 * STOP_S)
        parts = [member.part for member in self._crew.values() if member.part]
        if not parts:
            raise RunInvalid(f"no worker sent what it recorded: {self._stragglers(lambda member: False)}")
        workers = [self._judged(member).worker() for member in self._crew.values()]
        return merged(parts, workers, epoch, self._plan.config)

    def _judged(self, member: Member) -> Member:
        """Whoever did not do its whole part has a reason."""
        if member.part is None:
            member.ended = member.ended or "sent nothing"
        elif member.part.recording.interrupted:
            member.ended = member.ended or "was told to end"
        return member

    def _complete(self) -> bool:
        return all(member.part or member.ended for member in self._crew.values())

    def _lost(self) -> bool:
        """Note who is gone without having sent its part, or ended by itself; whether anybody is."""
        for key, member in self._crew.items():
            node = self._runner.clients.get(key)
            if member.ended or self._ending:
                continue
            if member.part is None and (node is None or node.state == STATE_MISSING):
                member.ended = "was lost"
            elif member.part is not None and member.part.recording.interrupted:
                member.ended = "ended before its time"
            if member.ended:
                member.ended += f" {time.perf_counter() - self._word_at:.0f} s after the start" if self._word_at else ""
                self._say(log.note(f"worker {member.name} {member.ended}: the run is invalid"))
        return any(member.ended for member in self._crew.values())

    def _stragglers(self, well: Callable[[Member], bool]) -> str:
        return ", ".join(f"{m.name} {m.ended or 'did not answer'}" for m in self._crew.values() if not well(m))

    def _wait(self, condition: Callable[[], bool], limit_s: float) -> bool:
        deadline = time.monotonic() + limit_s
        while not (met := condition()) and time.monotonic() < deadline:
            gevent.sleep(POLL_S)
        return met

    def _here(self, msg: Any, **_: Any) -> None:
        if len(self._crew) < self._plan.workers:
            self._crew[msg.node_id] = Member(unpacked(msg, Hello))

    def _ready(self, msg: Any, **_: Any) -> None:
        self._crew[msg.node_id].ready = True

    def _began(self, msg: Any, **_: Any) -> None:
        self._crew[msg.node_id].began_s = time.perf_counter() - self._word_at

    def _second(self, msg: Any, **_: Any) -> None:
        sample = unpacked(msg, Sample)
        found = self._samples[sample.second.t]
        found.append(sample)
        if len(found) == self._plan.workers:
            self._say(log.second(merged_second(found)))
            found.clear()

    def _trouble(self, msg: Any, **_: Any) -> None:
        self._crew[msg.node_id].ended = f"failed: {unpacked(msg, str)}"

    def _part(self, msg: Any, **_: Any) -> None:
        self._crew[msg.node_id].part = unpacked(msg, Part)


def main(plan_path: str) -> int:
    """Do what PLAN.json says. Ends with 0 once the recording is printed, 2 where it cannot be done, 4 without one."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    end_when_told()
    plan = msgspec.json.decode(Path(plan_path).read_bytes(), type=Plan)
    told = Event()
    try:
        code, last = 0, [*log.recording(_recorded(plan, told))]
    except RunInvalid as exc:
        code, last = 4, [log.invalid(str(exc))]
    except LoadError as exc:
        code, last = 2, [log.refused(str(exc))]
    if ended := told.is_set():
        told.clear()
    _on_signals(told.set)
    for line in last:
        _say(line)
    told.wait(min(plan.linger_s, ENDED_S) if ended else plan.linger_s)
    return code


def _recorded(plan: Plan, told: Event) -> Recording:
    reach(plan.config.target)
    tokens = _seeded() if plan.seeds else None
    environment = Environment()
    runner = environment.create_master_runner("*", plan.port)
    master = Master(plan, runner, _say)
    _on_signals(told.set)
    _on_signals(master.end)
    try:
        return master.run(tokens)
    finally:
        runner.quit()
        gevent.sleep(QUIT_S)
        print_stats(environment.stats, current=False)


def _on_signals(act: Callable[[], object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, act)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - standard output is how it is heard


def _seeded() -> Tokens:
    from loadtest.seed import seed  # noqa: PLC0415 - psycopg, for our own journeys only

    missing = [name for name in ("DATABASE_URL", "JWT_KEYS") if not os.environ.get(name)]
    if missing:
        raise LoadError(f"the Secret for seeding has no {' and no '.join(missing)}: name the task API's own")
    keys = msgspec.json.decode(os.environ["JWT_KEYS"], type=dict[str, str])
    with tempfile.TemporaryDirectory() as folder:
        say = lambda text: _say(log.note(text))  # noqa: E731
        return seed(os.environ["DATABASE_URL"], keys, Path(folder) / "tokens.json", report=say)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
