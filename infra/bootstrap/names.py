"""The roles that every other program of an account can count on."""

from __future__ import annotations

from typing import Literal

Role = Literal["break-glass", "deploy", "plan", "review"]


def role_arn(account: str, name: str, role: Role) -> str:
    """ARN of a role: `break-glass` for people at night, `deploy` for `pulumi up`, `plan` for what only reads.

    `review` is for pull requests, which nobody has read yet: it opens neither state nor secrets.
    """
    return f"arn:aws:iam::{account}:role/{name}-{role}"


def boundary_arn(account: str, name: str) -> str:
    """ARN of the policy that bounds every role which a program makes: the deploy role makes none without."""
    return f"arn:aws:iam::{account}:policy/{name}-boundary"
