"""The journal in a ConfigMap: nothing is lost between two writers, and what is old makes room for what is new."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.release.errors import Fenced, ReleaseError
from scripts.release.journal import Entry
from scripts.release.kubernetes.client import Api, Missing
from scripts.release.kubernetes.journal import ConfigMapJournal
from scripts.release.memory import remember
from scripts.release.route import Target
from scripts.release.step import Kind, Step
from tests.release.kubernetes.apiserver import Server, serving


def entry(number: int, fence: int = 1, words: str = "") -> Entry:
    return Entry(number, "", f"r{fence}", fence, "deploy", "ann", "intent", step="hold", words=words or str(number))


def run(fence: int) -> list[Entry]:
    """A whole run that leaves nothing behind."""
    plan = (Step(Kind.SHIFT, "blue", "blue", target=Target.all_on("blue")),)
    begun = Entry(fence, "", f"r{fence}", fence, "reap", "ann", "begin", plan=plan, target=Target.all_on("blue"))
    return [begun, msgspec.structs.replace(begun, phase="end", plan=(), outcome="done", words="x" * 200)]


@pytest.fixture
def journal(api: Api, namespace: str) -> ConfigMapJournal:
    return ConfigMapJournal(api, namespace, "shop")


@pytest.fixture
def other(api: Api, namespace: str) -> ConfigMapJournal:
    """The same journal as another command sees it."""
    return ConfigMapJournal(api, namespace, "shop")


def test_entries_come_back_in_order(journal: ConfigMapJournal, other: ConfigMapJournal) -> None:
    assert () == journal.read()
    written = [entry(number) for number in range(12)]
    for each in written:
        journal.append(each)
    assert written == list(other.read())
    assert written == list(journal.read())


def test_a_person_reads_it_with_kubectl(journal: ConfigMapJournal) -> None:
    """An entry a key, in order."""
    for number in range(2):
        journal.append(entry(number))
    found = journal.api.get(journal.path)
    assert found
    assert ["000001", "000002"] == sorted(found["data"])
    assert '"words":"0"' in found["data"]["000001"]


def test_who_writes_second_loses_nothing_of_the_first(journal: ConfigMapJournal, other: ConfigMapJournal) -> None:
    """Nor does it overwrite it: it sees that the ConfigMap was changed, and adds its own behind."""
    journal.append(entry(0))
    other.append(entry(1))
    journal.append(entry(2))
    other.append(entry(3))
    assert [entry(number) for number in range(4)] == list(journal.read())


def test_a_run_that_lost_its_lock_is_refused_however_little_it_has_read(
    journal: ConfigMapJournal, other: ConfigMapJournal
) -> None:
    journal.append(entry(0, fence=1))
    other.append(entry(1, fence=2))
    for late in (journal, ConfigMapJournal(journal.api, journal.path.split("/")[4], "shop")):
        with pytest.raises(Fenced, match="run r1 lost its lock: ann has begun run r2"):
            late.append(entry(2, fence=1))
    assert [entry(0, fence=1), entry(1, fence=2)] == list(journal.read())


def test_of_many_that_write_at_once_every_entry_is_there(api: Api, namespace: str) -> None:
    threads = [
        threading.Thread(target=lambda: [ConfigMapJournal(api, namespace, "shop").append(entry(n)) for n in range(4)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = ConfigMapJournal(api, namespace, "shop").read()
    assert sorted(each.at for each in found) == [number for number in range(4) for _ in range(4)]


def test_a_journal_that_was_deleted_by_hand_begins_anew(journal: ConfigMapJournal) -> None:
    """As a file that was moved away."""
    journal.append(entry(0))
    journal.api.delete(journal.path)
    assert () == journal.read()
    journal.append(entry(1))
    journal.api.delete(journal.path)
    journal.append(entry(2))
    assert [entry(2)] == list(journal.read())


def test_a_journal_that_was_emptied_by_hand_begins_anew(journal: ConfigMapJournal) -> None:
    journal.append(entry(0))
    journal.api.merge_patch(journal.path, {"data": None})
    journal.append(entry(1))
    assert [entry(1)] == list(journal.read())


def test_what_somebody_else_keeps_in_it_is_left_alone(journal: ConfigMapJournal) -> None:
    journal.append(entry(0))
    journal.api.merge_patch(journal.path, {"data": {"note": "ask ann"}, "metadata": {"labels": {"team": "shop"}}})
    journal.append(entry(1))
    found = journal.api.get(journal.path)
    assert found
    assert ("ask ann", {"team": "shop"}) == (found["data"]["note"], found["metadata"]["labels"])
    assert [entry(0), entry(1)] == list(journal.read())


def test_an_entry_spoilt_by_hand_is_named(journal: ConfigMapJournal) -> None:
    journal.append(entry(0))
    journal.api.merge_patch(journal.path, {"data": {"000001": "not json"}})
    with pytest.raises(ReleaseError, match=r"ConfigMap shop-rollout, key 000001: not a journal entry.*delete that key"):
        journal.read()


def test_a_namespace_that_is_not_there_is_one_clear_error(server: Server, twin_api: Api) -> None:
    server.fault("POST", 404, message='namespaces "nowhere" not found')
    with pytest.raises(Missing, match=r'namespaces "nowhere" not found.*or the namespace'):
        ConfigMapJournal(twin_api, "nowhere", "shop").append(entry(0))


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
def test_an_entry_whose_reply_is_lost_is_there_once(server: Server, twin_api: Api, applied: bool) -> None:
    journal = ConfigMapJournal(twin_api, "shop", "shop")
    for number, method in enumerate(("POST /api/v1/namespaces/shop/configmaps", "PATCH", "PATCH")):
        server.fault(method, applied=applied)
        journal.append(entry(number))
    assert [entry(number) for number in range(3)] == list(journal.read())


def test_behind_a_lost_reply_another_ones_entry_is_not_overwritten(server: Server, twin_api: Api) -> None:
    """It came between the write and the look-up that found it applied."""
    journal, other = (ConfigMapJournal(twin_api, "shop", "shop") for _ in range(2))
    journal.append(entry(0))
    server.fault("PATCH", applied=True, then=lambda: threading.Thread(target=other.append, args=(entry(2),)).run())
    journal.append(entry(1))
    journal.append(entry(3))
    assert [entry(number) for number in range(4)] == list(journal.read())


def test_old_runs_make_room(journal: ConfigMapJournal, api: Api, namespace: str) -> None:
    """Whole ones, the oldest first, in the same write; and nobody notices."""
    small = ConfigMapJournal(api, namespace, "shop", most=12_000)
    written: list[Entry] = []
    for fence in range(1, 61):
        for each in run(fence):
            small.append(each)
            written.append(each)
    found = list(journal.read())
    assert len(found) < len(written)
    assert written[-len(found) :] == found
    assert found[0].phase == "begin"
    assert remember(written) == remember(found)
    stored = api.get(journal.path)
    assert stored
    assert sum(len(key) + len(text) for key, text in stored["data"].items()) <= 12_000


def test_a_journal_of_which_nothing_can_be_forgotten_is_refused_before_the_server_refuses_it(
    journal: ConfigMapJournal,
) -> None:
    for number in range(4):
        journal.append(entry(number, words="x" * 240_000))
    with pytest.raises(ReleaseError, match=r"shop-rollout, is full.*keep a copy.*adopts the route"):
        journal.append(entry(5, words="x" * 240_000))


@settings(
    max_examples=25,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],  # each has a server of its own
)
@given(turns=st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.booleans(), st.booleans()), max_size=20))
def test_whoever_writes_when_and_whatever_is_lost_the_journal_is_what_was_appended(
    kubeconfig_for: Callable[..., str], turns: list[tuple[int, bool, bool]]
) -> None:
    """Three writers under rising and falling numbers; a reply is lost before or behind the write."""
    with serving(Server()) as server:
        api = Api.connect("", kubeconfig_for(server.url))
        writers = [ConfigMapJournal(api, "shop", "shop") for _ in range(3)]
        expected: list[Entry] = []
        for number, (who, lost, applied) in enumerate(turns):
            if lost and expected:
                server.fault("PATCH", applied=applied)
            new = entry(number, fence=who)
            try:
                writers[who].append(new)
            except Fenced:
                assert who < expected[-1].fence
            else:
                expected.append(new)
            server.faults.clear()
        assert expected == list(writers[0].read())
