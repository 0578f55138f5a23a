"""Roles that GitHub's workflows take by OIDC for the time of a job; there is no key to leak."""

from __future__ import annotations

from typing import Final

from infra.components.iam import policy

HOST: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"


def provider_arn(account: str) -> str:
    """ARN of GitHub's identity provider, which the bootstrap program makes once in an account."""
    return f"arn:aws:iam::{account}:oidc-provider/{HOST}"


def runs(account: str, repository: str, *subjects: str) -> dict[str, object]:
    """The statement of a trust policy for runs of `repository` as `subjects` say: "environment:production", "ref:…".

    https://docs.github.com/en/actions/reference/security/oidc: the subject begins with the repository.
    """
    whole = [f"repo:{repository}:{subject}" for subject in subjects]
    return {
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": provider_arn(account)},
        "Condition": {"StringEquals": {f"{HOST}:aud": AUDIENCE}, "StringLike": {f"{HOST}:sub": whole}},
    }


def taken_by(account: str, repository: str, *subjects: str) -> str:
    """The trust policy of a role that only such runs take."""
    return policy(runs(account, repository, *subjects))
