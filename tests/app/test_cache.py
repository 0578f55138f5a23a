"""The two-level cache: one computation at a time, and never a value from before a write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
import redis

from app.cache import L2_S, Cache
from app.call import DEADLINE_S
from app.expiring import Expiring
from app.metrics import Metrics
from app.valkey import Valkey

OWNER = 7


class Value(msgspec.Struct, frozen=True):
    number: int


class Source:
    """Counts its computations; `gate` holds them back."""

    def __init__(self) -> None:
        self.number = 1
        self.computed = 0
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> Value:
        value = Value(self.number)
        self.computed += 1
        self.begun.set()
        assert self.gate.wait(10)
        return value


@pytest.fixture
def make(redis_url: str) -> Callable[[], Cache]:
    """Each call is another process's cache over the same Valkey."""
    return lambda: Cache(Valkey(redis_url), Metrics("blue", "test"))


def read(cache: Cache, source: Source) -> int:
    return cache.read("value", OWNER, Value, source).number


def test_a_value_is_computed_once_for_all_processes(make: Callable[[], Cache]) -> None:
    source = Source()
    blue, green = make(), make()
    assert [read(blue, source), read(blue, source), read(green, source)] == [1, 1, 1]
    assert source.computed == 1


def test_fifty_threads_wait_for_one_computation(make: Callable[[], Cache]) -> None:
    source, cache = Source(), make()
    source.gate.clear()
    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(read, cache, source) for _ in range(50)]
        assert source.begun.wait(10)
        time.sleep(0.05)
        source.gate.set()
        assert {answer.result(10) for answer in answers} == {1}
    assert source.computed == 1


def test_a_computation_that_fails_fails_all_who_wait_and_is_not_kept(make: Callable[[], Cache]) -> None:
    cache = make()

    def fail() -> Value:
        raise ValueError("no value")

    for _ in range(2):
        with pytest.raises(ValueError, match="no value"):
            cache.read("value", OWNER, Value, fail)
    assert read(cache, Source()) == 1


def test_after_a_write_the_old_value_is_not_read_again(make: Callable[[], Cache]) -> None:
    source = Source()
    blue, green = make(), make()
    assert read(blue, source) == 1
    source.number = 2
    blue.wrote("value", OWNER)
    assert read(blue, source) == 2
    assert read(green, source) == 2
    assert source.computed == 2


def test_a_fill_begun_before_a_write_is_neither_kept_nor_shared(make: Callable[[], Cache]) -> None:
    source = Source()
    blue, green = make(), make()
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(read, blue, source)
        assert source.begun.wait(10)
        source.number = 2
        blue.wrote("value", OWNER)
        source.gate.set()
        assert late.result(10) == 1
    assert read(blue, source) == 2
    assert read(green, source) == 2


def test_a_reader_after_a_write_does_not_join_the_fill_from_before_it(make: Callable[[], Cache]) -> None:
    source, cache = Source(), make()
    source.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(read, cache, source)
        assert source.begun.wait(10)
        source.begun.clear()
        source.number = 2
        cache.wrote("value", OWNER)
        after = pool.submit(read, cache, source)
        assert source.begun.wait(10)
        source.gate.set()
        assert (before.result(10), after.result(10)) == (1, 2)


@pytest.mark.parametrize("stored", [b"", b"not json", b'{"other": 1}', b'{"number": "one"}', b"null"])
def test_a_bad_value_in_valkey_is_a_miss(make: Callable[[], Cache], redis_url: str, stored: bytes) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"cache:{{{OWNER}}}:value:{OWNER}:0", stored)
    source = Source()
    assert read(make(), source) == 1
    assert source.computed == 1


def test_values_in_valkey_go_by_themselves(make: Callable[[], Cache], redis_url: str) -> None:
    read(make(), Source())
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.ttl(f"cache:{{{OWNER}}}:value:{OWNER}:0") <= 30


def test_versions_in_valkey_go_by_themselves_after_every_value_under_them(
    make: Callable[[], Cache], redis_url: str
) -> None:
    make().wrote("value", OWNER)
    with redis.Redis.from_url(redis_url) as client:
        assert L2_S + DEADLINE_S < client.ttl(f"cache:{{{OWNER}}}:version") <= 3600


def test_a_version_that_has_gone_does_not_come_back(make: Callable[[], Cache], redis_url: str) -> None:
    """A value stored just before its version went must not be read under a later one."""
    source = Source()
    cache = make()
    cache.wrote("value", OWNER)
    assert read(cache, source) == 1
    with redis.Redis.from_url(redis_url) as client:
        client.delete(f"cache:{{{OWNER}}}:version")
    source.number = 2
    cache.wrote("value", OWNER)
    assert read(cache, source) == 2


def test_without_valkey_the_process_caches_alone() -> None:
    cache, source = Cache(Valkey("redis://127.0.0.1:1/0"), Metrics("blue", "test")), Source()
    assert [read(cache, source), read(cache, source)] == [1, 1]
    assert source.computed == 1
    source.number = 2
    cache.wrote("value", OWNER)
    assert read(cache, source) == 2


def test_a_bounded_dictionary_forgets_rather_than_grows() -> None:
    entries: Expiring[int, int] = Expiring(100)
    for number in range(1000):
        entries.put(number, number, 60)
        assert len(entries) <= 100
    assert entries.get(999) == 999
    entries.put(1, 1, 0)
    assert entries.get(1) is None
