"""The built-in journeys: a mix over the task API as its users would send it, 80 % reads and 20 % writes.

Every request is an arrival of its own, follow-ups too: a page is fetched by a cursor that an earlier list gave, a
deletion takes a task that an earlier request made. So the offered rate is requests per second, and each one is timed
from its own due moment.

Who and what: users come in a shuffled round, each one as often as any other, so that none meets the rate limit of
its own; skew is in the tasks. A user reads the task of rank k among their own with a probability proportional to 1/k
(Zipf with exponent 1; web requests were found near it: Breslau et al., INFOCOM 1999).
"""

from __future__ import annotations

import random
from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Final

import msgspec

from loadtest.request import Check, Request
from loadtest.tokens import SeededUser, Tokens, read_tokens

REMEMBERED: Final = 10_000  # cursors, and tasks made in this run
STATUSES: Final = ("todo", "in_progress", "done")
QUERIES: Final = (
    "limit=20",
    "limit=50",
    "limit=20&status=todo",
    "limit=20&status=in_progress",
    "limit=10&status=done",
    "limit=20&priority=5",
    "limit=20&status=todo&priority=1",
)


class _Task(msgspec.Struct):
    id: int


class _Page(msgspec.Struct):
    items: list[_Task]
    next_cursor: str | None = None


_task = msgspec.json.Decoder(_Task)
_page = msgspec.json.Decoder(_Page)


class _User:
    __slots__ = ("email", "headers", "id", "task_ids")

    def __init__(self, user: SeededUser) -> None:
        self.id = user.id
        self.email = user.email
        self.headers = f"Authorization: Bearer {user.token}\r\n"
        self.task_ids = user.task_ids


class Tasks:
    """Draws requests; deterministic but for what the answers bring."""

    def __init__(self, tokens: Tokens, seed: int, login_share: float) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a mix that can be repeated, not a secret
        self._users = [_User(user) for user in tokens.users]
        self._password = tokens.password
        self._round = self._rounds()
        self._login_share = login_share  # of the warm-up's requests
        self._zipf = tuple(accumulate(1 / k for k in range(1, 1 + max(len(u.task_ids) for u in self._users))))
        self._cursors: deque[tuple[_User, str]] = deque(maxlen=REMEMBERED)
        self._made: deque[tuple[_User, int]] = deque(maxlen=REMEMBERED)
        mix: list[tuple[float, Callable[[_User], Request]]] = [
            (0.30, self._list),
            (0.05, self._page),
            (0.35, self._read),
            (0.05, self._stats),
            (0.05, self._me),
            (0.08, self._create),
            (0.09, self._patch),
            (0.015, self._assign),
            (0.015, self._delete),
        ]
        self._kinds = [draw for _, draw in mix]
        self._mix = list(accumulate(share for share, _ in mix))

    @classmethod
    def read(cls, path: Path, seed: int, login_share: float) -> Tasks:
        """Journeys of the users in a tokens file. Raises TokensError."""
        return cls(read_tokens(path), seed, login_share)

    def draw(self, *, warmup: bool) -> Request:
        """The next request; in the warm-up some are logins, which cost a password hash and are not judged."""
        user = next(self._round)
        if warmup and self._random.random() < self._login_share:
            return self._login(user)
        kind = bisect(self._mix, self._random.random() * self._mix[-1])
        return self._kinds[min(kind, len(self._kinds) - 1)](user)

    def _rounds(self) -> Iterator[_User]:
        users = list(self._users)
        while True:
            self._random.shuffle(users)
            yield from users

    def _own_task(self, user: _User) -> int:
        ranks = len(user.task_ids)
        return user.task_ids[bisect(self._zipf, self._random.random() * self._zipf[ranks - 1], 0, ranks - 1)]

    def _list(self, user: _User) -> Request:
        query = self._random.choice(QUERIES)
        return _get("GET /tasks", f"/tasks?{query}", user, self._list_check(user, query))

    def _page(self, user: _User) -> Request:
        if not self._cursors:
            return self._list(user)
        owner, query = self._cursors.popleft()
        return _get("GET /tasks", f"/tasks?{query}", owner, _status(200))

    def _read(self, user: _User) -> Request:
        task_id = self._own_task(user)
        return _get("GET /tasks/{task_id}", f"/tasks/{task_id}", user, _task_check(200, task_id))

    def _stats(self, user: _User) -> Request:
        return _get("GET /tasks/stats", "/tasks/stats", user, _status(200))

    def _me(self, user: _User) -> Request:
        return _get("GET /users/me", "/users/me", user, _task_check(200, user.id))

    def _create(self, user: _User) -> Request:
        body = {"title": f"Review order {self._random.randrange(10**6)}", "priority": self._random.randint(1, 5)}

        def check(status: int, answer: bytes) -> str | None:
            wrong, made = _decoded(201, status, answer)
            if made is not None:
                self._made.append((user, made))
            return wrong

        return _send("POST /tasks", "/tasks", user.headers, body, check)

    def _patch(self, user: _User) -> Request:
        task_id = self._own_task(user)
        body = {"status": self._random.choice(STATUSES), "priority": self._random.randint(1, 5)}
        return _send("PATCH /tasks/{task_id}", f"/tasks/{task_id}", user.headers, body, _task_check(200, task_id))

    def _assign(self, user: _User) -> Request:
        body = {"assignee_id": self._random.choice(self._users).id}
        path = f"/tasks/{self._own_task(user)}/assign"
        return _send("POST /tasks/{task_id}/assign", path, user.headers, body, _status(200, 204))

    def _delete(self, user: _User) -> Request:
        if not self._made:
            return self._create(user)
        owner, task_id = self._made.popleft()
        check = _status(200, 204)
        return Request("DELETE /tasks/{task_id}", "DELETE", f"/tasks/{task_id}", owner.headers, b"", check)

    def _login(self, user: _User) -> Request:
        body = {"email": user.email, "password": self._password}
        return _send("POST /auth/login", "/auth/login", "", body, _status(200))

    def _list_check(self, user: _User, query: str) -> Check:
        def check(status: int, body: bytes) -> str | None:
            if status != 200:
                return f"status {status}"
            try:
                page = _page.decode(body)
            except msgspec.DecodeError as exc:
                return f"check: not a page of tasks ({exc})"
            if page.next_cursor is not None:
                self._cursors.append((user, f"{query}&cursor={page.next_cursor}"))
            return None

        return check


def _get(route: str, path: str, user: _User, check: Check) -> Request:
    return Request(route, "GET", path, user.headers, b"", check)


def _send(route: str, path: str, headers: str, body: object, check: Check) -> Request:
    method = route.partition(" ")[0]
    raw = msgspec.json.encode(body)
    headers += f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
    return Request(route, method, path, headers, raw, check)


def _status(*expected: int) -> Check:
    def check(status: int, body: bytes) -> str | None:
        return None if status in expected else f"status {status}"

    return check


def _task_check(expected: int, wanted_id: int) -> Check:
    """Right status, and the answer is about the thing that was asked for."""

    def check(status: int, body: bytes) -> str | None:
        wrong, found = _decoded(expected, status, body)
        if found is not None and found != wanted_id:
            return f"check: answered id {found} instead of the one asked for"
        return wrong

    return check


def _decoded(expected: int, status: int, body: bytes) -> tuple[str | None, int | None]:
    if status != expected:
        return f"status {status}", None
    try:
        return None, _task.decode(body).id
    except msgspec.DecodeError as exc:
        return f"check: no id in the answer ({exc})", None
