"""Events: every entry once, and never in the way of a release."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.release.journal import Entry
from scripts.release.kubernetes.client import Api
from scripts.release.kubernetes.events import Events, event
from scripts.release.kubernetes.journal import ConfigMapJournal
from scripts.release.route import Target
from tests.local.traffic import until
from tests.release.kubernetes.apiserver import Server

AT = 1_800_000_000.25
SHIFT = Entry(
    AT, "", "r1", 3, "deploy", "ann@laptop", "intent", step="shift", slot="green", version="1.1.0",
    target=Target.all_on("green"),
)  # fmt: skip
FAILED = Entry(AT, "", "r1", 3, "deploy", "ann@laptop", "failed", step="smoke", outcome="fail", words="/cart: 500")


def told(api: Api, namespace: str) -> list[dict[str, Any]]:
    """The Events of the Lease, as kubectl finds them."""
    found = api.list(f"/api/v1/namespaces/{namespace}/events", fields="involvedObject.name=shop-rollout")
    return sorted(found, key=lambda each: str(each["reason"]))


def test_every_entry_of_a_journal_is_told_once(api: Api, namespace: str) -> None:
    journal = ConfigMapJournal(api, namespace, "shop")
    for entry in (SHIFT, FAILED, SHIFT):
        journal.append(entry)
    journal.events.close(10)
    found = told(api, namespace)
    assert ["ShiftIntent", "SmokeFailed"] == [each["reason"] for each in found]
    assert ["Normal", "Warning"] == [each["type"] for each in found]
    assert "deploy 1.1.0 by ann@laptop, run r1: shift intent on green: blue 0 %, green 100 %" == found[0]["message"]
    assert "deploy by ann@laptop, run r1: smoke failed: /cart: 500" == found[1]["message"]


def test_the_same_entry_has_the_same_name_and_another_one_another() -> None:
    names = [event(each, "shop", "shop-rollout")["metadata"]["name"] for each in (SHIFT, SHIFT, FAILED)]
    assert names[0] == names[1] != names[2]


def test_words_that_are_too_long_are_cut(api: Api, namespace: str) -> None:
    events = Events(api, namespace, "shop")
    events.tell(Entry(AT, "", "r1", 3, "deploy", "ann", "end", words="x" * 5000))
    events.close(10)
    assert [1024] == [len(each["message"]) for each in told(api, namespace)]


@pytest.mark.parametrize("status", [0, 500, 503])
def test_a_server_that_takes_no_events_holds_nothing_up(server: Server, twin_api: Api, status: int) -> None:
    """The entries are written all the same, while the Events still wait for an answer."""
    server.fault("POST /api/v1/namespaces/shop/events", status, times=1000, hang=0.1)
    journal = ConfigMapJournal(twin_api, "shop", "shop")
    for _ in range(3):
        journal.append(SHIFT)
    assert 3 == len(journal.read())
    journal.events.close(0.01)
    assert [] == [path for path in server.objects if "/events/" in path]


def test_more_than_fit_are_lost(server: Server, twin_api: Api) -> None:
    """Those that wait are told in the end."""
    server.fault("POST", 429, headers={"retry-after": "1"})
    events = Events(twin_api, "shop", "shop")
    for number in range(400):
        events.tell(Entry(AT + number, "", "r1", 3, "deploy", "ann", "end"))
    events.close(20)
    assert 200 <= len(server.objects) < 400


def test_a_role_that_allows_none_is_asked_once(server: Server, twin_api: Api) -> None:
    server.fault("POST", 403, message='User "ann" cannot create resource "events"')
    events = Events(twin_api, "shop", "shop")
    for number in range(5):
        events.tell(Entry(AT + number, "", "r1", 3, "deploy", "ann", "end"))
    events.close(10)
    until(lambda: len(server.asked) == 1, "one was asked")
    assert {} == server.objects
