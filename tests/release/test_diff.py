"""Two slots' answers to one request: what differs, what changes by itself, and what is ignored by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.release.diff import Change, Reply, compare

LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
KEYS = st.sampled_from(["a", "b", "id", "x.y", "*", "50%"]) | st.text(min_size=1, max_size=3)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


def reply(value: object, status: int = 200) -> Reply:
    return Reply(status, "application/json", json.dumps(value).encode())


def text(body: bytes, content_type: str = "text/html") -> Reply:
    return Reply(200, content_type, body)


def turned(value: Any) -> Any:
    """The same with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


@given(VALUES)
def test_the_order_of_keys_is_no_difference(value: object) -> None:
    found = compare([reply(value), reply(turned(value))], [reply(turned(value))])
    assert (found.differences, found.noise) == ((), ())


@given(VALUES, VALUES, st.booleans())
def test_what_the_old_slot_answers_by_itself_is_never_blamed_on_the_new_one(a: object, b: object, first: bool) -> None:
    found = compare([reply(a), reply(b)], [reply(a if first else b)])
    assert found.differences == ()
    assert bool(found.noise) == bool(compare([reply(a), reply(a)], [reply(b)]).differences)


@given(VALUES, VALUES)
def test_every_difference_with_a_name_is_silenced_by_it(a: object, b: object) -> None:
    found = compare([reply(a), reply(a)], [reply(b)]).differences
    names = [difference.name for difference in found if difference.name]
    left = compare([reply(a), reply(a)], [reply(b)], names).differences
    assert {difference.name for difference in left} <= {""}
    assert {d.steps for d in left} <= {d.steps for d in found}


@given(VALUES, st.tuples(LEAVES, LEAVES, LEAVES), VALUES)
def test_a_field_that_stands_still_is_compared_whatever_moves_beside_it(
    rest: object, moving: tuple[object, object, object], other: object
) -> None:
    old_a, old_b = ({"kept": 1, "moving": value, "rest": rest} for value in moving[:2])
    new = {"kept": 2, "moving": moving[0], "rest": other}
    words = [d.words for d in compare([reply(old_a), reply(old_b)], [reply(new)]).differences]
    assert "kept: 1 became 2" in words


@given(VALUES, VALUES, st.text(min_size=300, max_size=600))
def test_words_are_short_and_never_the_whole_body(a: object, b: object, long: str) -> None:
    for old, new in ((a, long), (long, b), ({long: a}, {long: b}), ({long: a}, {"x": long})):
        for difference in compare([reply(old), reply(old)], [reply(new)]).differences:
            assert len(difference.words) < 250
            assert difference.words.isprintable()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ({"a": {"b": 1}}, {"a": {}}, "a.b: missing, was 1"),
        ({"a": []}, {"a": [], "b": {"c": 1}}, "b: added, an object of 1"),
        ({"a": [1, {"b": 10}]}, {"a": [1, {"b": "10"}]}, 'a.1.b: 10 (a number) became "10" (text)'),
        ({"a": 1}, {"a": True}, "a: 1 (a number) became true (true or false)"),
        ({"a": None}, {"a": 0}, "a: null (null) became 0 (a number)"),
        ({"a": 1.5}, {"a": 2}, "a: 1.5 became 2"),
        ({"a": [1, 2, 3]}, {"a": [1]}, "a: 3 items became 1"),
        ([1, 2], [2, 1], "0: 1 became 2"),
        ({"a.b": 1}, {"a.b": 2}, "a%2Eb: 1 became 2"),
        ({"a": "x" * 99}, {"a": "y"}, f'a: "{"x" * 38}… became "y"'),
        ("x", ["x"], 'the body: "x" (text) became a list of 1 (a list)'),
        ({"a": 2**70}, {"a": 2**70 + 1}, f"a: {2**70} became {2**70 + 1}"),
    ],
)
def test_a_difference_says_where_it_is_and_what_became_of_it(old: object, new: object, says: str) -> None:
    assert compare([reply(old), reply(old)], [reply(new)]).differences[0].words == says


def test_a_whole_number_and_the_same_with_a_point_are_one_value() -> None:
    assert compare([reply({"a": 1}), reply({"a": 1})], [reply({"a": 1.0})]).differences == ()


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        (["uptime"], ["data.0.at", "data.0.who.at", "at"]),
        (["at"], ["data.0.who.uptime"]),
        (["data.*.at"], ["data.0.who.at", "data.0.who.uptime", "at"]),
        (["data"], ["at"]),
        (["*.*.who"], ["data.0.at", "at"]),
        (["data.1.at", "at.data"], ["data.0.at", "data.0.who.at", "data.0.who.uptime", "at"]),
    ],
)
def test_a_field_is_ignored_by_its_key_anywhere_or_by_its_path(ignore: list[str], left: list[str]) -> None:
    old, new = ({"data": [{"at": n, "who": {"at": n, "uptime": n}}], "at": n} for n in (1, 2))
    found = compare([reply(old), reply(old)], [reply(new)], ignore).differences
    assert left == [".".join(map(str, difference.path)) for difference in found]


def page(*items: int, **more: object) -> Reply:
    return reply({"data": [{"at": at, "title": "t"} for at in items], **more})


def test_what_changes_by_itself_in_one_item_of_a_list_is_noise_in_all() -> None:
    """Two items written in the same second of two answers are equal by chance."""
    found = compare([page(1, 5), page(2, 5)], [page(3, 6)])
    assert (found.differences, [noise.name for noise in found.noise]) == ((), ["data.*.at"])


def test_a_list_that_grows_by_itself_is_noise_with_all_its_items() -> None:
    """Its positions hold other items each time."""
    found = compare([page(1), page(1, 1)], [page(9, 9, 9, kind=1)])
    assert [d.words for d in found.differences] == ["kind: added, 1"]
    assert [noise.words for noise in found.noise] == ["data: 1 items became 2"]


def test_an_object_whose_keys_are_ids_is_noise_but_a_key_that_was_always_there_is_not() -> None:
    olds = [reply({"by_id": {"kept": 1, "a1": 1}}), reply({"by_id": {"kept": 1, "b2": 1}})]
    assert compare(olds, [reply({"by_id": {"kept": 1, "c3": 1}})]).differences == ()
    found = compare(olds, [reply({"by_id": {"c3": 1}})]).differences
    assert [d.words for d in found] == ["by_id.kept: missing, was 1"]


def test_a_value_that_moves_does_not_hide_that_it_became_something_else() -> None:
    found = compare([reply({"at": 1}), reply({"at": 2})], [reply({"at": "3"})])
    assert [d.change for d in found.differences] == [Change.KIND]


def test_the_same_change_in_many_items_and_answers_is_told_once() -> None:
    found = compare([page(1, 1), page(1, 1)], [page(2, 2), page(2, 2)])
    assert [d.words for d in found.differences] == ["data.0.at: 1 became 2"]


def test_bodies_that_are_not_json_are_compared_as_they_are() -> None:
    found = compare([text(b"<p>a</p>"), text(b"<p>a</p>")], [text(b"<p>ab</p>")])
    assert [d.words for d in found.differences] == ["the body: 8 bytes became 9, different from byte 4 on"]
    assert compare([text(b"a"), text(b"b")], [text(b"c")]).differences == ()
    cut = compare([reply({"a": 1}), reply({"a": 1})], [text(b'{"a"', "application/json")]).differences
    assert [d.words for d in cut] == ["the body: 8 bytes became 4, to its end the same, only one of them is JSON"]


def test_a_page_is_not_read_as_json_and_an_answer_without_a_type_is() -> None:
    assert compare([text(b"1"), text(b"1")], [text(b"1.0")]).differences[0].change is Change.BODY
    assert compare([text(b"1", ""), text(b"1", "")], [text(b"1.0", "")]).differences == ()


def test_the_content_type_is_compared_beside_the_body() -> None:
    old = text(b"{}", "application/json; charset=utf-8")
    assert compare([old, old], [text(b"{}", "Application/JSON;charset=UTF-8")]).differences == ()
    found = compare([old, text(b"{}", "application/json")], [text(b"[]", "text/plain")])
    assert [d.change for d in found.differences] == [Change.BODY]
    assert [noise.change for noise in found.noise] == [Change.CONTENT_TYPE]


def test_a_body_nested_deeply_is_compared_as_json_or_as_it_is() -> None:
    deep = b"[" * 900 + b"%d" + b"]" * 900
    found = compare([text(deep % 1, "application/json")] * 2, [text(deep % 2, "application/json")])
    assert [d.words.endswith("…: 1 became 2") for d in found.differences] == [True]
    deeper = b"[" * 100_000 + b"%d" + b"]" * 100_000
    found = compare([text(deeper % 1, "application/json")] * 2, [text(deeper % 2, "application/json")])
    assert [d.change for d in found.differences] == [Change.BODY]


GOOD, BAD, NONE = reply({}), reply({}, 500), Reply(0)


@pytest.mark.parametrize(
    ("olds", "news", "field", "says"),
    [
        (
            [GOOD, GOOD],
            [GOOD, BAD],
            "differences",
            "status: 500 in 1 of 2 answers of the new slot, 200 in all of the old",
        ),
        ([GOOD, GOOD], [NONE], "differences", "status: no answer in 1 of 1 answers of the new slot, 200 in all"),
        ([GOOD, BAD], [BAD, BAD], "differences", "status: 500 in 2 of 2 answers of the new slot, 500 in 1 of 2 of the"),
        ([GOOD, BAD], [GOOD, BAD], "unclear", "500 in 1 of 2 answers of the new slot and 500 in 1 of 2 of the old"),
        ([BAD, BAD], [BAD], "unclear", "where 200 is expected: mend the request or its expect"),
        ([BAD, NONE], [GOOD], "note", "the new slot answers 200 as expected; not compared with the old one: 500 in 2"),
    ],
)
def test_a_status_is_blamed_on_the_release_only_where_the_old_slot_does_better(
    olds: list[Reply], news: list[Reply], field: str, says: str
) -> None:
    """A release that mends a broken service passes, and two slots that fail alike decide nothing."""
    found = compare(olds, news)
    assert says in str(getattr(found, field))
    assert [bool(found.differences), bool(found.unclear), bool(found.note)].count(True) == 1


def test_another_status_can_be_the_expected_one() -> None:
    missing = reply({"error": "none"}, 404)
    assert compare([missing, missing], [missing], expect=404).differences == ()
    assert compare([missing, missing], [GOOD], expect=404).differences[0].change is Change.STATUS


@pytest.mark.parametrize(("olds", "news"), [([GOOD], [GOOD]), ([GOOD, GOOD], [])])
def test_one_answer_of_the_old_slot_cannot_tell_noise(olds: list[Reply], news: list[Reply]) -> None:
    with pytest.raises(ValueError, match="give two at least, and one"):
        compare(olds, news)
