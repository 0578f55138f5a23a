"""Policies as JSON texts: pure functions, so that what may be done stands beside what does it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def policy(*statements: Mapping[str, object]) -> str:
    """A policy document of these statements, each of which allows unless it says otherwise."""
    whole = [{"Effect": "Allow", **statement} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": whole}, sort_keys=True)


def allow(actions: Sequence[str], resources: Sequence[str]) -> dict[str, object]:
    """A statement that allows `actions` on `resources` and nothing more."""
    return {"Action": list(actions), "Resource": list(resources)}


def assumed_by(service: str, account: str, *also: str) -> str:
    """The trust policy of a role that `service` takes, for this account only (no confused deputy)."""
    return policy(
        {
            "Action": ["sts:AssumeRole", *also] if also else "sts:AssumeRole",
            "Principal": {"Service": service},
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
    )
