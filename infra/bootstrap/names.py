"""The roles that every other program of an account can count on."""

from __future__ import annotations

from typing import Literal

Role = Literal["break-glass", "deploy", "plan"]


def role_arn(account: str, name: str, role: Role) -> str:
    """ARN of a role: `break-glass` for people at night, `deploy` for `pulumi up`, `plan` for what only reads."""
    return f"arn:aws:iam::{account}:role/{name}-{role}"
