"""Whether a write whose reply was lost has been done is read from the object as it stands."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.release.kubernetes.applied import contains, patched

FOUND = {
    "metadata": {"name": "one", "resourceVersion": "7", "annotations": {"a/b": "1", "c~d": "2"}},
    "spec": {"rules": [{"name": "users", "weight": 5}, {"name": "preview"}], "replicas": 3},
}


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({}, True),
        ({"spec": {"replicas": 3}}, True),
        ({"spec": {"replicas": 4}}, False),
        ({"metadata": {"resourceVersion": "6", "name": "one"}}, True),  # it changes with the write
        ({"spec": {"rules": [{"weight": 5}, {}]}}, True),
        ({"spec": {"rules": [{"weight": 5}]}}, False),
        ({"spec": {"rules": [{"weight": 5}, {"weight": 5}]}}, False),
        ({"spec": {"paused": False, "note": "", "extra": [], "more": {}}}, True),  # left out by the server
        ({"spec": {"paused": True}}, False),
        ({"status": {"ready": 1}}, False),
        ({"spec": {"rules": {"users": 5}}}, False),
    ],
)
def test_an_object_holds_what_was_written_into_it(wanted: dict[str, Any], there: bool) -> None:
    assert there is contains(FOUND, wanted)


@pytest.mark.parametrize(
    ("ops", "there"),
    [
        ([{"op": "replace", "path": "/spec/replicas", "value": 3}], True),
        ([{"op": "replace", "path": "/spec/replicas", "value": 4}], False),
        ([{"op": "replace", "path": "/spec/rules/0/weight", "value": 5}], True),
        ([{"op": "replace", "path": "/spec/rules/9/weight", "value": 5}], False),
        ([{"op": "add", "path": "/metadata/annotations/a~1b", "value": "1"}], True),
        ([{"op": "add", "path": "/metadata/annotations/c~0d", "value": "2"}], True),
        ([{"op": "remove", "path": "/spec/paused"}], True),
        ([{"op": "remove", "path": "/spec/replicas"}], False),
        ([{"op": "test", "path": "/spec/replicas", "value": 2}, {"op": "remove", "path": "/spec/paused"}], True),
        ([{"op": "test", "path": "/spec/replicas", "value": 3}], False),  # it leaves nothing to be seen
    ],
)
def test_an_object_shows_what_a_patch_left_behind(ops: list[dict[str, Any]], there: bool) -> None:
    assert there is patched(FOUND, ops)
