"""Rate limits: shared through Valkey, kept alone when it is away."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.limits import Limit, Limiter, refill
from app.problems import Problem
from app.valkey import Valkey
from tests.app.world import ANONYMOUS, Api, Person

NOWHERE = "redis://127.0.0.1:1/0"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def statuses(api: Api, person: Person, count: int, path: str = "/tasks") -> list[int]:
    return [api.get(path, person).status_code for _ in range(count)]


def granted(limiter: Limiter, limit: Limit, key: str, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            limiter.take(limit, key)
        except Problem:
            continue
        count += 1
    return count


def test_a_user_over_the_limit_is_told_when_to_come_again(serve: Callable[..., Api]) -> None:
    api = serve(RATE_LIMIT_PER_MINUTE="5")
    person = api.person()
    assert statuses(api, person, 6) == [200] * 5 + [429]
    refused = api.get("/tasks", person)
    assert refused.get_json()["type"] == "urn:primetrade:problem:rate-limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 12
    assert statuses(api, api.person(), 1) == [200]


def test_two_processes_share_one_limit(serve: Callable[..., Api]) -> None:
    blue, green = serve(RATE_LIMIT_PER_MINUTE="6"), serve(RATE_LIMIT_PER_MINUTE="6")
    person = blue.person()
    assert (statuses(blue, person, 3), statuses(green, person, 4)) == ([200] * 3, [200] * 3 + [429])


def test_bad_tokens_count_against_the_address_they_come_from(serve: Callable[..., Api]) -> None:
    api = serve(RATE_LIMIT_PER_MINUTE="3")

    def guess(address: str) -> int:
        headers = {"Authorization": "Bearer guess", "X-Forwarded-For": address}
        return api.get("/tasks", ANONYMOUS, headers=headers).status_code

    assert [guess("192.0.2.1") for _ in range(4)] == [401, 401, 401, 429]
    assert guess("192.0.2.2") == 401


def test_logins_are_limited_by_account_whatever_the_address(serve: Callable[..., Api]) -> None:
    api = serve(LOGIN_RATE_LIMIT_PER_MINUTE="2")

    def login(email: str, address: str) -> int:
        body = {"email": email, "password": "a wrong password"}
        return api.post("/auth/login", body, headers={"X-Forwarded-For": address}).status_code

    assert [login("v@example.org", f"192.0.2.{n}") for n in range(3)] == [401, 401, 429]
    assert login("w@example.org", "192.0.2.0") == 401


def test_only_the_edge_is_believed_about_the_clients_address(serve: Callable[..., Api]) -> None:
    api = serve(RATE_LIMIT_PER_MINUTE="2", TRUSTED_PROXIES="10.0.0.0/8")

    def guess(peer: str, forwarded: str) -> int:
        options = {"headers": {"X-Forwarded-For": forwarded}, "environ_base": {"REMOTE_ADDR": peer}}
        return api.get("/tasks", ANONYMOUS, **options).status_code

    assert [guess("192.0.2.9", f"198.51.100.{n}") for n in range(3)] == [401, 401, 429]
    assert [guess("10.1.2.3", f"198.51.100.7, 203.0.113.{n}") for n in range(3)] == [401, 401, 401]
    assert [guess("10.1.2.3", f"198.51.100.{n}, 203.0.113.9") for n in range(3)] == [401, 401, 429]


@pytest.mark.parametrize(
    ("peer", "marks", "counts"),
    [("10.1.2.3", "true", False), ("192.0.2.9", "true", True), ("10.1.2.3", "false", True)],
)
def test_copies_count_against_nobody_where_the_edge_alone_can_mark_them(
    serve: Callable[..., Api], peer: str, marks: str, counts: bool
) -> None:
    """Another slot answers the user, and counts him; a client's own mark, or one through another edge, is nothing."""
    api = serve(RATE_LIMIT_PER_MINUTE="2", TRUSTED_PROXIES="10.0.0.0/8", EDGE_MARKS_COPIES=marks)
    options = {"headers": {"X-Shadow": "1"}, "environ_base": {"REMOTE_ADDR": peer}}
    for person, status in ((api.person(), 200), (ANONYMOUS, 401)):
        seen = [api.get("/tasks", person, **options).status_code for _ in range(3)]
        assert seen == [status, status, 429 if counts else status]


def test_permits_are_drawn_in_batches_that_threads_spend_exactly_once(api: Api, valkey: Valkey) -> None:
    limiter = Limiter(valkey, api.runtime.metrics)
    limit = Limit("test", 60)
    assert limit.batch == 2
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: granted(limiter, limit, "k", 20), range(8)))
    assert sum(counts) in (60, 61, 62)  # a permit a second comes back meanwhile


def test_alone_a_process_limits_by_itself_and_logins_more_strictly(api: Api) -> None:
    clock = Clock()
    limiter = Limiter(Valkey(NOWHERE), api.runtime.metrics, clock)
    assert granted(limiter, Limit("requests", 10), "k", 20) == 10
    assert granted(limiter, Limit("logins", 10, alone=0.5), "k", 20) == 5
    clock.now += 13
    assert granted(limiter, Limit("requests", 10), "k", 20) == 2


def test_answers_go_on_and_are_counted_without_valkey(serve: Callable[..., Api]) -> None:
    api = serve(REDIS_URL=NOWHERE, RATE_LIMIT_PER_MINUTE="4")
    assert statuses(api, api.person(), 5) == [200] * 4 + [429]
    assert b"rate_limit_fallbacks_total 5.0" in api.runtime.metrics.text()


@pytest.mark.parametrize(
    ("permits", "seconds", "expected"), [(0, 30, 30), (59, 30, 60), (60, 0, 60), (5, -9, 5), (0, 0.5, 0.5)]
)
def test_a_bucket_refills_steadily_and_never_over_its_rim(permits: float, seconds: float, expected: float) -> None:
    assert refill(permits, seconds, 60) == expected


@pytest.fixture
def valkey(redis_url: str) -> Valkey:
    return Valkey(redis_url)
