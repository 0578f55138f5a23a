"""Plans of the committed stacks, made once, and of configurations that stand in no file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec
import pytest

from infra.config.platform import Platform
from infra.plan.graph import Graph
from infra.plan.run import plan, plan_platform
from infra.stackfile import PROJECT, read_stack, stacks

NAMES = ("databasePassword", "databaseAppPassword", "cachePassword", "appSecret", "originKey")
SECRETS = tuple(f"{PROJECT}:{each}" for each in NAMES)


@cache
def _committed(stack: str) -> Graph:
    return plan(stack, read_stack(stack))


@pytest.fixture(scope="session", params=stacks())
def stack(request: pytest.FixtureRequest) -> Graph:
    """The plan of each committed stack in turn."""
    return _committed(request.param)


@pytest.fixture(scope="session")
def committed() -> Callable[[str], Graph]:
    """A function that gives the plan of a committed stack."""
    return _committed


@pytest.fixture(scope="session")
def graph_of() -> Callable[..., Graph]:
    """A function that plans development's stack with sections or keys over it: `graph_of(network={"nat": "none"})`.

    `graph_of("prod", ...)` does so with another.
    """

    def make(stack: str = "dev", /, **sections: object) -> Graph:
        whole = msgspec.to_builtins(read_stack(stack).platform)
        for name, changes in sections.items():
            whole[name] = {**(whole[name] or {}), **changes} if isinstance(changes, dict) else changes
        return plan_platform(msgspec.convert(whole, Platform), stack, secrets=SECRETS)

    return make
