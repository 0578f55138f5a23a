"""Do two slots answer one request the same? By status, content type and body, JSON field by field; pure.

What differs between two answers of the old slot, such as a time or a request's id, is noise and not the release's
doing: the idea of Twitter's Diffy. A clock that ticks once a second can stand still between two answers, so ask old,
new, old, in this order: what ticked for the new slot has then ticked for the old one too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

import msgspec

VALUE: Final = 40  # letters of a value in words
NAME: Final = 80  # letters of a field's name in words
_ABSENT: Final = object()
Path = tuple[str | int, ...]  # from the root: ("data", 0, "title")
Steps = tuple[str, ...]  # a path with * for every position in a list: what goes for one item goes for all


class Change(StrEnum):
    """What kind of difference it is."""

    STATUS = "status"
    CONTENT_TYPE = "content type"
    MISSING = "missing"  # a key of an object
    ADDED = "added"  # likewise
    KIND = "kind"  # such as a number that became text
    VALUE = "value"
    LENGTH = "length"  # of a list
    BODY = "body"  # that is not JSON


class Reply(msgspec.Struct, frozen=True):
    """What a slot answered; status 0 when nothing came back. JSON is known by the content type, if there is one."""

    status: int
    content_type: str = ""
    body: bytes = b""


class Difference(msgspec.Struct, frozen=True):
    """One difference; the words show at most the beginning of a value, never a whole body."""

    path: Path
    change: Change
    words: str

    @property
    def steps(self) -> Steps:
        """The path with * for positions."""
        return tuple("*" if isinstance(step, int) else _written(step) for step in self.path)

    @property
    def name(self) -> str:
        """As `ignore` takes it; "" for what cannot be ignored by name."""
        return ".".join(self.steps) if self.steps != ("*",) else ""


class Compared(msgspec.Struct, frozen=True):
    """What the answers of two slots to one request say."""

    differences: tuple[Difference, ...] = ()  # the release's doing
    noise: tuple[Difference, ...] = ()  # changes by itself in the old slot
    unclear: str = ""  # why nothing can be said; "" when something is
    note: str = ""  # what was not compared, and why that is no reason to refuse


def compare(olds: Sequence[Reply], news: Sequence[Reply], ignore: Iterable[str] = (), expect: int = 200) -> Compared:
    """Compare the answers of the old slot (two at least) and of the new one, both in the order they came.

    `ignore` names fields: a key, wherever it stands (`uptime`), or a path from the root with * for any one step
    (`data.*.updated_at`); in a key, a dot is written %2E, a star %2A, a per cent sign %25. Raises ValueError for fewer
    than two and one answers.
    """
    if len(olds) < 2 or not news:
        raise ValueError(f"{len(olds)} answers of the old slot, {len(news)} of the new: give two at least, and one")
    good = [old for old in olds if old.status == expect]
    if said := _statuses(olds, news, expect):
        return said
    rules = [name.split(".") for name in ignore]
    noise = _first_of_each(d for old in good[1:] for d in _differences(good[0], old, rules))
    found = _first_of_each(d for new in news for d in _differences(good[0], new, rules))
    return Compared(tuple(d for d in found if not any(_covers(n, d) for n in noise)), tuple(noise))


def _statuses(olds: Sequence[Reply], news: Sequence[Reply], expect: int) -> Compared | None:
    """What the statuses alone decide: a slot that does not answer as expected has no body worth comparing."""
    was, now = ([reply.status for reply in replies if reply.status != expect] for replies in (olds, news))
    new_says = f"{_status(now[0])} in {len(now)} of {len(news)} answers of the new slot" if now else ""
    old_says = f"{_status(was[0])} in {len(was)} of {len(olds)} of the old" if was else ""
    if now and (not was or (len(now) == len(news) and len(was) < len(olds))):
        words = f"status: {new_says}, {old_says or f'{expect} in all of the old'}"
        return Compared(differences=(Difference((), Change.STATUS, words),))
    if now:
        return Compared(
            unclear=f"{new_says} and {old_says}, where {expect} is expected: mend the request or its expect"
        )
    if len(olds) - len(was) < 2:  # a release that mends a broken service must not wait for the broken one
        return Compared(note=f"the new slot answers {expect} as expected; not compared with the old one: {old_says}")
    return None


def _status(status: int) -> str:
    return str(status) if status else "no answer"


def _differences(old: Reply, new: Reply, rules: Sequence[Sequence[str]]) -> Iterator[Difference]:
    was, now = ("".join(reply.content_type.lower().split()) for reply in (old, new))
    if was != now:
        yield Difference((), Change.CONTENT_TYPE, f"content type: {_cut(was, VALUE)} became {_cut(now, VALUE)}")
    if old.body == new.body:
        return
    before, after = _decoded(old), _decoded(new)
    if before is None or after is None:
        at = next((i for i, pair in enumerate(zip(old.body, new.body, strict=False)) if pair[0] != pair[1]), None)
        where = "to its end the same" if at is None else f"different from byte {at} on"
        kind = "" if (before is None) == (after is None) else ", only one of them is JSON"
        words = f"the body: {len(old.body)} bytes became {len(new.body)}, {where}{kind}"
        yield Difference((), Change.BODY, words)
    else:
        yield from _walk(before[0], after[0], rules)


def _decoded(reply: Reply) -> tuple[object] | None:
    """The JSON value, in a tuple because it may be null; None for what is not JSON."""
    if "json" in reply.content_type.lower() or not reply.content_type:
        with suppress(ValueError, RecursionError):
            return (json.loads(reply.body, parse_constant=str),)  # msgspec would round long numbers; NaN is not itself
    return None


def _walk(old: object, new: object, rules: Sequence[Sequence[str]]) -> Iterator[Difference]:
    """Every difference that no rule covers. Not recursive: a body may be nested as deeply as our stack."""
    open_: list[tuple[Path, object, object]] = [((), old, new)]
    while open_:
        path, was, now = open_.pop()
        if path and _ignored(path, rules):
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            keys = dict.fromkeys([*was, *now])
            open_ += [((*path, key), was.get(key, _ABSENT), now.get(key, _ABSENT)) for key in reversed(keys)]
        elif isinstance(was, list) and isinstance(now, list):
            if len(was) != len(now):
                yield _difference(path, Change.LENGTH, f"{len(was)} items became {len(now)}")
            open_ += [((*path, at), *pair) for at, pair in enumerate(zip(was, now, strict=False))][::-1]
        elif said := _apart(was, now):
            yield _difference(path, *said)


def _apart(was: object, now: object) -> tuple[Change, str] | None:
    """What differs between two values that are not both objects or both lists."""
    if now is _ABSENT:
        return Change.MISSING, f"missing, was {_shown(was)}"
    if was is _ABSENT:
        return Change.ADDED, f"added, {_shown(now)}"
    if _kind(was) != _kind(now):
        return Change.KIND, f"{_shown(was)} ({_kind(was)}) became {_shown(now)} ({_kind(now)})"
    return (Change.VALUE, f"{_shown(was)} became {_shown(now)}") if was != now else None


def _difference(path: Path, change: Change, words: str) -> Difference:
    name = ".".join(str(step) if isinstance(step, int) else _written(step) for step in path)
    return Difference(path, change, f"{_cut(name, NAME) or 'the body'}: {words}")


def _covers(noise: Difference, found: Difference) -> bool:
    """Whether what the old slot does by itself explains a difference of the new one."""
    if Change.CONTENT_TYPE in (noise.change, found.change):
        return noise.change is found.change
    if noise.change in (Change.LENGTH, Change.KIND, Change.BODY):  # other items, another thing: nothing below is alike
        return found.steps[: len(noise.steps)] == noise.steps
    keys = (Change.MISSING, Change.ADDED)
    if noise.change in keys and found.change is Change.ADDED:  # an object whose keys come and go, such as ids
        return found.steps[:-1] == noise.steps[:-1]
    return found.steps == noise.steps and (found.change is noise.change or {found.change, noise.change} == {*keys})


def _ignored(path: Path, rules: Sequence[Sequence[str]]) -> bool:
    def same(rule: str, step: str | int) -> bool:
        return rule == "*" or unquote(rule) == str(step)

    last = path[-1]
    return any(
        (len(rule) == 1 and isinstance(last, str) and unquote(rule[0]) == last)
        or (len(rule) == len(path) and all(map(same, rule, path)))
        for rule in rules
    )


def _first_of_each(found: Iterable[Difference]) -> list[Difference]:
    """Of the same change in many items of a list, or in many answers, one stands for all."""
    kept: dict[tuple[Steps, Change], Difference] = {}
    for difference in found:
        kept.setdefault((difference.steps, difference.change), difference)
    return list(kept.values())


def _kind(value: object) -> str:
    names: dict[type, str] = {bool: "true or false", str: "text", dict: "an object", list: "a list"}
    return "null" if value is None else names.get(type(value), "a number")


def _shown(value: object) -> str:
    if isinstance(value, (dict, list)):
        return f"{_kind(value)} of {len(value)}"
    return _cut(json.dumps(value, ensure_ascii=False), VALUE)


def _cut(text: str, most: int) -> str:
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _written(key: str) -> str:
    return key.replace("%", "%25").replace(".", "%2E").replace("*", "%2A")
