"""Every resource has somebody who uses it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pytest

from infra.plan.consumers import ENDS, LINKS, READERS, SETTINGS, UNREAD, unused
from infra.plan.graph import Graph
from infra.platform.outputs import Outputs
from infra.stackfile import ROOT
from tests.infra.samples import graph, one
from tests.infra.samples_edge import of_sample


def test_nothing_is_made_that_nobody_uses(stack: Graph) -> None:
    """If something new is: let a resource or an export need it, or name its user in infra/plan/consumers.py."""
    assert [] == [f"{each.type} {each.name}" for each in unused(stack)]


@pytest.mark.parametrize("kind", ["s3/bucket", "sqs/queue", "dynamodb/table", "lambda/function", "some/newType"])
def test_what_nobody_uses_is_found(kind: str) -> None:
    """Whatever it is; a setting of it is no use."""
    assert ["sample"] == [each.name for each in unused(graph(one(kind, {})))]
    setting = of_sample("s3/bucketPolicy", "bucket")
    assert ["sample"] == [each.name for each in unused(graph(one(kind, {}), setting))]


def test_an_export_is_a_use_if_somebody_reads_it() -> None:
    """Each says who does, beside its name."""

    def left(name: str) -> list[str]:
        exported = Graph("sample", "sample", (one("s3/bucket", {}),), {name: "${sample.id}"}, ())
        return [each.name for each in unused(exported)]

    assert [] == left("archive_bucket")
    assert [["sample"]] * len(UNREAD) == [left(name) for name in UNREAD]
    lines = inspect.getsource(Outputs).splitlines()
    fields = [line for line in lines if re.match(r"    \w+: ", line)]
    assert len(Outputs._fields) == len(fields)
    assert [] == [line for line in fields if not re.search(r"  # \w+", line)]


def test_who_reads_an_export_is_in_the_code() -> None:
    """The very words by which it is read; and every export is either read or known to be unread."""
    assert {*Outputs._fields} == READERS.keys() | UNREAD.keys()
    assert not READERS.keys() & UNREAD.keys()
    assert [] == [name for name, (path, words) in READERS.items() if words not in (ROOT / path).read_text()]


def test_what_waits_for_a_reader_is_off(stack: Graph) -> None:
    """Nobody pays for it: an export that nobody reads is empty, unless something else of the program uses it."""
    own = ("region", "database_clients", "cache_clients", "app_role")
    assert {} == {name: stack.exports[name] for name in UNREAD if name not in own and stack.exports.get(name)}


def test_read_replicas_have_no_reader_yet(graph_of: Callable[..., Graph]) -> None:
    """Whoever makes some is told so."""
    graph = graph_of(database={"replicas": 1, "password": "written"}, night={"stop": None})
    assert ["primetrade-dev-database-replica-1"] == [each.name for each in unused(graph)]


def test_who_is_named_exists() -> None:
    """As a file of this repository; and no kind is said twice."""
    assert [] == [path for _, path in ENDS.values() if not (ROOT / path).exists()]
    kinds = [*SETTINGS, *LINKS, *ENDS]
    assert len(kinds) == len({*kinds})
