"""What the platform exports, as the type that it exports it by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pulumi

from infra.errors import ConfigError
from infra.platform.outputs import Outputs
from infra.stackfile import PROJECT


def reference(stack: str) -> str:
    """The full name of the platform's stack, as a state of one's own has it."""
    return f"organization/{PROJECT}/{stack}"


def outputs(stack: str) -> Outputs:
    """The platform's exports. One that every stack has and this one does not ends the program."""
    found = pulumi.StackReference(reference(stack)).outputs
    said: dict[str, Any] = {name: found.apply(partial(one, name, stack)) for name in Outputs._fields}
    return Outputs(**said)


def one(name: str, stack: str, said: Mapping[str, Any]) -> Any:
    """One export of the platform's stack, None where it may be missing. Raises ConfigError."""
    if name not in said and name not in Outputs._field_defaults:
        raise ConfigError(f"{reference(stack)} exports no {name}: run `pulumi up` of the platform first")
    return said.get(name)
