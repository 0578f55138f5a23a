"""Every resource has somebody who uses it."""

from __future__ import annotations

import inspect
import re

import pytest

from infra.plan.consumers import ENDS, LINKS, SETTINGS, unused
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


def test_an_export_is_a_use() -> None:
    """Each says who reads it, beside its name."""
    exported = Graph("sample", "sample", (one("s3/bucket", {}),), {"bucket": "${sample.id}"}, ())
    assert [] == unused(exported)
    lines = inspect.getsource(Outputs).splitlines()
    fields = [line for line in lines if re.match(r"    \w+: ", line)]
    assert len(Outputs._fields) == len(fields)
    assert [] == [line for line in fields if not re.search(r"  # \w+", line)]


def test_who_is_named_exists() -> None:
    """As a file of this repository; and no kind is said twice."""
    assert [] == [path for _, path in ENDS.values() if not (ROOT / path).exists()]
    kinds = [*SETTINGS, *LINKS, *ENDS]
    assert len(kinds) == len({*kinds})
