"""Notifications: every receiver gets its notices in order, and none of them holds a release up."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from scripts.release.notify import MOST, Event, Notice, Notifier, Receiver, missing
from slo import yamlfile
from slo.yamlfile import Duration, YamlFileError

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
TRICKLED = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 80  # a head that never ends in time: a byte every 20 ms


class Hook(ThreadingHTTPServer):
    """A real receiver; the last step of the path says how it behaves, and `first-…` the first time only."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.got: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.seen: set[str] = set()
        self.released, self.cut = threading.Event(), threading.Event()

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A receiver that was left says nothing."""


class _Answer(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.headers.append(dict(self.headers))
        self.server.got.append(json.loads(body))
        how = self.path.rpartition("/")[2]
        if how.startswith("first-"):
            how = "ok" if how in self.server.seen else how.removeprefix("first-")
            self.server.seen.add(f"first-{how}")
        match how:
            case "hang":
                self.server.released.wait(PATIENCE_S)
            case "drop":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            case "trickle":
                self._trickle()
                return
            case "garbage":
                self.wfile.write(b"nonsense\r\n\r\n")
                return
            case "moved":
                self.send_response(302)
                self.send_header("location", self.server.address("/ok"))
                self.end_headers()
                return
        self.send_response(int(how) if how.isdigit() else 204)
        self.end_headers()

    def _trickle(self) -> None:
        try:
            for byte in TRICKLED:
                self.wfile.write(bytes([byte]))
                time.sleep(0.02)
        except OSError:
            self.server.cut.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server gives it
        """Tests are quiet."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def notice(event: Event = Event.STARTED, **more: str) -> Notice:
    given = {"service": "shop", "platform": "local", "verb": "deploy", "run": "r1", "version": "1.1.0"}
    time = "2026-01-01T00:00:00.000Z"
    return msgspec.convert({"event": event, "actor": "ann@laptop", "time": time, **given, **more}, Notice)


def told(receiver: Receiver, *notices: Notice, limit_s: float = PATIENCE_S, **env: str) -> tuple[str, ...]:
    """What was not delivered when all of them were sent."""
    notifier = Notifier([receiver], env)
    for each in notices:
        notifier.send(each)
    return notifier.close(limit_s)


def ended(written: Path) -> bool:
    try:
        return psutil.Process(int(written.read_text())).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_webhook_gets_everything_there_is_to_know(hook: Hook) -> None:
    facts = {"slot": "green", "reason": "ticket 7", "target": "blue 50 %, green 50 %", "outcome": "fail"}
    sent = notice(Event.GATE_FAILED, words="12 of 300 requests failed", **facts)
    assert told(Receiver(webhook=hook.address("/ok")), sent) == ()
    text = "shop 1.1.0 (deploy by ann@laptop): a gate refused it: 12 of 300 requests failed; blue 50 %, green 50 %"
    assert hook.got == [{**msgspec.to_builtins(sent), "text": text}]
    assert hook.headers[0]["content-type"] == "application/json"


def test_notices_arrive_in_the_order_of_the_release(hook: Hook) -> None:
    events = [Event.STARTED, *[Event.WAITING] * 30, Event.PROMOTED]
    sent = [notice(event, words=str(n)) for n, event in enumerate(events)]
    assert told(Receiver(webhook=hook.address("/ok")), *sent) == ()
    assert [(got["event"], got["words"]) for got in hook.got] == [(each.event, each.words) for each in sent]


def test_a_receiver_hears_of_what_it_asked_for_only(hook: Hook) -> None:
    receiver = Receiver(webhook=hook.address("/ok"), events=(Event.REVERTED, Event.ROLLED_BACK))
    assert told(receiver, *map(notice, Event)) == ()
    assert [got["event"] for got in hook.got] == ["reverted", "rolled-back"]


def test_a_secret_is_sent_and_never_told(hook: Hook) -> None:
    """Neither that of a header nor the path of the address, which is one in most chat services."""
    receiver = Receiver(webhook=hook.address("/services/${PATH_KEY}/500"), headers={"X-Key": "key ${HOOK_KEY}"})
    words = told(receiver, notice(), PATH_KEY="p4th", HOOK_KEY="s3cret")
    assert hook.headers[0]["x-key"] == "key s3cret"
    assert words == (f"{hook.address('')} was not told of started (2026-01-01T00:00:00.000Z): it answered 500",)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/500", "it answered 500"),
        ("/404", "it answered 404"),
        ("/drop", "no connection: it broke"),
        ("/garbage", "what it answered is not HTTP"),
        ("/moved", "it answered 302, and redirects are not followed"),
    ],
)
def test_what_a_receiver_does_wrong_is_told_once_a_notice(hook: Hook, path: str, says: str) -> None:
    words = told(Receiver(webhook=hook.address(path)), notice(), notice(Event.PROMOTED))
    assert [says in each for each in words] == [True, True]
    assert "/ok" not in hook.seen
    assert len(hook.got) == (4 if path == "/drop" else 2)  # a broken connection is tried once more


def test_a_connection_that_broke_is_tried_once_more(hook: Hook) -> None:
    assert told(Receiver(webhook=hook.address("/first-drop")), notice()) == ()
    assert [got["event"] for got in hook.got] == ["started", "started"]


def test_a_receiver_that_is_not_there_is_told_by_its_error(hook: Hook) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        assert told(Receiver(webhook=address), notice())[0].endswith("no connection: Connection refused")
    assert "no TLS connection: " in told(Receiver(webhook=hook.address("/ok").replace("http", "https")), notice())[0]


@pytest.mark.parametrize("how", ["hang", "trickle"])
def test_a_receiver_that_hangs_or_trickles_is_left_and_hears_the_next(hook: Hook, how: str) -> None:
    """A byte now and then starts the time limit of a socket anew, and not ours."""
    receiver = Receiver(webhook=hook.address(f"/first-{how}"), timeout=Duration(3))
    words = told(receiver, notice(), notice(Event.PROMOTED))
    assert [each.endswith("of started (2026-01-01T00:00:00.000Z): no answer within 3 s") for each in words] == [True]
    assert [got["event"] for got in hook.got] == ["started", "promoted"]
    if how == "trickle":
        assert hook.cut.wait(PATIENCE_S)


def test_one_receiver_that_hangs_holds_up_neither_the_others_nor_the_end(hook: Hook) -> None:
    hanging, well = (
        Receiver(webhook=hook.address("/hang"), timeout=Duration(600)),
        Receiver(webhook=hook.address("/ok")),
    )
    notifier = Notifier([hanging, well], {})
    for event in (Event.STARTED, Event.PROMOTED):
        notifier.send(notice(event))
    until(lambda: sorted(got["event"] for got in hook.got) == ["promoted", "started", "started"])
    words = notifier.close(2)
    assert ["of started" in words[0], "of promoted" in words[1], len(words)] == [True, True, 2]
    assert words[0].endswith("the run ended before it was taken")
    hook.released.set()
    for thread in [each for each in threading.enumerate() if each.name.startswith("notify")]:
        thread.join(PATIENCE_S)
    assert sorted(got["event"] for got in hook.got) == ["promoted", "started", "started"]  # nothing is sent afterwards


def test_so_many_notices_wait_and_no_more(hook: Hook) -> None:
    words = told(Receiver(webhook=hook.address("/hang")), *[notice()] * (MOST + 20), limit_s=0)
    assert len(words) == MOST + 20
    assert [each.endswith("too many wait before it") for each in words].count(True) == 20


def test_a_command_gets_the_same_object_on_its_input_and_variables(tmp_path: Path) -> None:
    program = "cat > object; printf '%s %s' $RELEASE_EVENT $RELEASE_VERSION > words"
    sent = notice(Event.PROMOTED, slot="green")
    assert told(Receiver(run=("sh", "-c", f"cd {tmp_path}; {program}")), sent) == ()
    assert msgspec.json.decode((tmp_path / "object").read_bytes()) == {**msgspec.to_builtins(sent), "text": sent.text}
    assert (tmp_path / "words").read_text() == "promoted 1.1.0"


def test_a_command_that_hangs_ends_with_its_children_and_hears_the_next(tmp_path: Path) -> None:
    program = (
        f"cd {tmp_path}; [ $RELEASE_EVENT = started ] || exit 0; sleep 300 & echo $! > child; echo $$ > self; wait"
    )
    words = told(Receiver(run=("sh", "-c", program), timeout=Duration(5)), notice(), notice(Event.PROMOTED))
    assert words == ("sh was not told of started (2026-01-01T00:00:00.000Z): killed after 5 s",)
    until(lambda: ended(tmp_path / "self") and ended(tmp_path / "child"))


def test_a_command_that_fails_or_is_not_there_is_told_without_its_output() -> None:
    words = told(Receiver(run=("sh", "-c", "echo s3cret; exit 3")), notice())
    assert words == ("sh was not told of started (2026-01-01T00:00:00.000Z): it ended with 3",)
    assert told(Receiver(run=("no-such-program",)), notice())[0].endswith("it ended with 127")


RUN = """
import pathlib, time, msgspec
from scripts.release.notify import Notice, Notifier, Receiver
from slo.yamlfile import Duration
notifier = Notifier([Receiver(run=("sh", "-c", "echo $$ > {path}; sleep 300"), timeout=Duration(600))], {{}})
notifier.send(msgspec.json.decode({sent!r}, type=Notice, strict=False))
while not (pathlib.Path({path!r}).exists() and pathlib.Path({path!r}).read_text()):
    time.sleep(0.02)
print(len(notifier.close(0.1)))
"""


def test_a_run_ends_while_a_command_hangs_and_takes_it_along(tmp_path: Path) -> None:
    path = tmp_path / "self"
    program = RUN.format(path=str(path), sent=msgspec.json.encode(notice()))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
    until(lambda: ended(path))


def test_every_event_has_words() -> None:
    assert all(len(notice(event).text) > len("shop 1.1.0 (deploy by ann@laptop): ") for event in Event)


def test_what_receivers_lack_is_known_before_a_release_begins() -> None:
    receivers = [
        Receiver(run=("true",)),
        Receiver(webhook="${HOOK}", headers={"X-A": "${A}", "X-B": "${B}${C}", "X-D": "${"}),
        Receiver(webhook="https://${HOST}/x"),
    ]
    lacks = missing(receivers, {"A": "fine", "B": "two\nlines", "HOOK": "https://h/x", "HOST": "user:pw@h"})
    assert [words.partition(";")[0] for words in lacks] == [
        "notify[1].headers.X-B: B holds a line break or a letter that no header may hold",
        "notify[1].headers.X-B: the environment variable C is not set",
        "notify[1].headers.X-D: a ${ begins no variable",
        "notify[2].webhook: a user name or password stands in the address",
    ]
    assert "two" not in str(lacks)
    assert missing([Receiver(webhook="${HOOK}")], {"HOOK": "s3cret"}) == (
        "notify[0].webhook: this is no address; write it as https://HOST/PATH",
    )
    assert missing(receivers[:1], {}) == ()


def test_a_notice_that_lacks_a_variable_is_lost_and_not_sent_without(hook: Hook) -> None:
    words = told(Receiver(webhook=hook.address("/ok"), headers={"X-A": "${A}"}), notice())
    assert "headers.X-A: the environment variable A is not set" in words[0]
    assert hook.got == []


class File(msgspec.Struct):
    notify: tuple[Receiver, ...]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{webhook: 'http://h/x', events: [promoted, launched]}", r"\.events\[1\]: .*'launched'.*started, waiting"),
        ("{events: [promoted]}", r"\.webhook: give either webhook"),
        ("{webhook: 'http://h/x', run: [a]}", r"\.webhook: give either webhook"),
        ("{run: [a], headers: {X-A: b}}", r"\.headers: a command gets none"),
        ("{webhook: 'http://h/x', headers: {X A: b}}", r"\.headers"),
        ("{webhook: 'ftp://h/x'}", r"\.webhook: this is no address"),
        ("{webhook: 'http://u:p@h/x'}", r"\.webhook: a user name or password"),
        ("{run: [a], timeout: 0s}", r"\.timeout: nothing is delivered in no time"),
        ("{run: [a], timeout: 5}", r"\.timeout: 5 is not a duration"),
        ("{run: [a], events: []}", r"\.events"),
        ("{run: [a], retries: 3}", r"\.retries: unknown key"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "release.yaml"
    path.write_text(f"notify: [{text}]\n")
    with pytest.raises(YamlFileError, match=rf"release.yaml:1: notify\[0\]{says}"):
        yamlfile.load(path, File)


def test_a_receiver_hears_of_everything_unless_it_says_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "release.yaml"
    path.write_text("notify: [{webhook: '${HOOK}'}]\n")
    assert yamlfile.load(path, File).notify == (Receiver(webhook="${HOOK}", events=tuple(Event), timeout=Duration(5)),)
