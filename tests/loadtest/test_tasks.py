"""The built-in journeys: who asks for what, and what counts as a right answer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from loadtest.request import Request
from loadtest.tasks import Tasks
from loadtest.tokens import SeededUser, Tokens, TokensError, read_tokens, write_tokens

USERS = 100
TOKENS = Tokens(
    "the password",
    tuple(
        SeededUser(i, f"u{i}@example.test", f"token-{i}", tuple(range(i * 100, i * 100 + 50)))
        for i in range(1, USERS + 1)
    ),
    expires_at=2e9,
)


def drawn(count: int, *, warmup: bool = False, seed: int = 1, answer: bool = False) -> list[Request]:
    """Requests; with `answer`, each one is answered as a healthy server would."""
    journeys = Tasks(TOKENS, seed, login_share=0.1)
    found = []
    for number in range(count):
        request = journeys.draw(warmup=warmup)
        found.append(request)
        if answer and request.route == "GET /tasks":
            assert request.check(200, b'{"items":[{"id":1}],"next_cursor":"abc"}') is None
        if answer and request.route == "POST /tasks":
            assert request.check(201, b'{"id":%d}' % (100_000 + number)) is None
    return found


def user(request: Request) -> str:
    return request.headers.partition("\r\n")[0]


def test_four_of_five_requests_read() -> None:
    """Within 4 sigma of 10,000 draws, and every route is there."""
    routes = Counter(request.route for request in drawn(10_000, answer=True))
    writes = sum(count for route, count in routes.items() if not route.startswith("GET"))
    assert 2000 == pytest.approx(writes, abs=4 * 40)
    assert {
        *("GET /tasks", "GET /tasks/{task_id}", "GET /tasks/stats", "GET /users/me", "POST /tasks"),
        *("PATCH /tasks/{task_id}", "DELETE /tasks/{task_id}", "POST /tasks/{task_id}/assign"),
    } == set(routes)


def test_no_user_asks_more_often_than_another() -> None:
    """A round of all users, again and again, in changing order."""
    requests = drawn(USERS * 20)
    assert {20} == set(Counter(map(user, requests)).values())
    first, second = [user(r) for r in requests[:USERS]], [user(r) for r in requests[USERS : 2 * USERS]]
    assert first != second


def test_popularity_of_tasks_follows_zipf_and_stays_with_their_owner() -> None:
    """Rank k is read 1/k as often as rank 1, within 5 sigma; nobody asks for a task of somebody else."""
    reads = [r for r in drawn(60_000) if r.route == "GET /tasks/{task_id}"]
    ranks = Counter(int(r.path.rpartition("/")[2]) % 100 for r in reads)
    harmonic = sum(1 / k for k in range(1, 51))
    for k in (1, 2, 5, 10):
        expected = len(reads) / k / harmonic
        assert expected == pytest.approx(ranks[k - 1], abs=5 * expected**0.5)
    assert all(user(r).endswith(f"token-{int(r.path.rpartition('/')[2]) // 100}") for r in reads)


def test_logins_come_in_the_warm_up_only() -> None:
    """With the seeded password."""
    logins = [r for r in drawn(2000, warmup=True) if r.route == "POST /auth/login"]
    assert 200 == pytest.approx(len(logins), abs=4 * 14)
    assert "the password" == msgspec.json.decode(logins[0].body)["password"]
    assert not [r for r in drawn(2000) if r.route == "POST /auth/login"]


def test_a_cursor_is_followed_with_the_filters_and_the_token_of_its_list() -> None:
    """It is bound to both."""
    journeys = Tasks(TOKENS, 1, 0)
    requests = (journeys.draw(warmup=False) for _ in range(1000))
    first = next(r for r in requests if r.route == "GET /tasks")
    first.check(200, b'{"items":[],"next_cursor":"abc"}')
    followed = next(r for r in requests if "cursor=abc" in r.path)
    assert (f"{first.path}&cursor=abc", user(first)) == (followed.path, user(followed))


def test_only_tasks_made_in_the_run_are_deleted() -> None:
    """By the user who made them; the seeded ones stay for the next run."""
    requests = drawn(5000, answer=True)
    deleted = [r for r in requests if r.method == "DELETE"]
    assert len(deleted) > 10
    for request in deleted:
        task_id = int(request.path.rpartition("/")[2])
        assert user(requests[task_id - 100_000]) == user(request)


@pytest.mark.parametrize(
    ("route", "status", "body", "expected"),
    [
        ("GET /tasks/{task_id}", 503, b"", "status 503"),
        ("GET /tasks/{task_id}", 200, b'{"id":1}', "check: answered id 1 instead of the one asked for"),
        ("GET /tasks/{task_id}", 200, b"<html>", "check: no id in the answer"),
        ("GET /tasks", 200, b"[]", "check: not a page of tasks"),
        ("GET /tasks", 429, b"", "status 429"),
        ("POST /tasks", 200, b'{"id":1}', "status 200"),
        ("DELETE /tasks/{task_id}", 404, b"", "status 404"),
    ],
)
def test_a_wrong_answer_is_named(route: str, status: int, body: bytes, expected: str) -> None:
    """By what is wrong with it."""
    request = next(r for r in drawn(5000, answer=True) if r.route == route)
    assert (request.check(status, body) or "").startswith(expected)


def test_requests_repeat_for_their_seed() -> None:
    """And differ for another."""

    def wire(seed: int) -> list[tuple[str, str, bytes]]:
        return [(r.path, r.headers, r.body) for r in drawn(100, seed=seed)]

    assert wire(1) == wire(1)
    assert wire(1) != wire(2)


def test_the_tokens_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Written anew over an old one, and read back."""
    path = tmp_path / "deep" / "tokens.json"
    for _ in range(2):
        write_tokens(path, TOKENS)
    assert 0o600 == path.stat().st_mode & 0o777
    assert TOKENS == read_tokens(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "cannot be read"),
        ("{}", "not a tokens file"),
        ('{"password":"p","users":[]}', "not a tokens file.*expires_at"),
        ('{"password":"p","users":[],"expires_at":1}', "fewer than two users with tasks"),
    ],
)
def test_a_tokens_file_that_cannot_serve_is_refused(tmp_path: Path, text: str | None, expected: str) -> None:
    """With what to do about it."""
    path = tmp_path / "tokens.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TokensError, match=rf"{expected}.*primetrade db seed"):
        read_tokens(path)


def test_a_place_for_tokens_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    """A file stands where the folder should."""
    (tmp_path / "file").touch()
    with pytest.raises(TokensError, match=r"file/tokens\.json: cannot be written: .*; give another --tokens"):
        write_tokens(tmp_path / "file" / "tokens.json", TOKENS)
