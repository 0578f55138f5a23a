"""The bootstrap program, built from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from pulumi import Input, Output

from infra.bootstrap.access import Access
from infra.bootstrap.config import Account
from infra.bootstrap.state import State
from infra.components.site import Site

if TYPE_CHECKING:
    from infra.config.platform import Platform


class Outputs(NamedTuple):
    """Each is exported under its name; behind it stands who reads it."""

    state_url: Input[str]  # pulumi login
    secrets_provider: Input[str]  # pulumi stack init --secrets-provider
    plan_role: Input[str]  # infrastructure.yml's AWS_PLAN_ROLE; the platform's access entry
    review_role: Input[str]  # plan.yml's AWS_REVIEW_ROLE; the platform's access entry
    deploy_role: Input[str]  # whoever runs pulumi up; the platform's access entry
    break_glass_role: Input[str]  # people at night; the platform's access entry


def build(account: Account) -> Outputs:
    """Make the state's place, then the roles that may use it."""
    site = Site(cast("Platform", account), _no_secret)  # it has all that names, tags and provider are made of
    state = State(site, account.name, account.state_days)
    access = Access(site, account, state)
    return Outputs(
        state_url=state.url,
        secrets_provider=state.secrets,
        plan_role=access.arns["plan"],
        review_role=access.arns["review"],
        deploy_role=access.arns["deploy"],
        break_glass_role=access.arns["break-glass"],
    )


def _no_secret(name: str) -> Output[str]:
    raise LookupError(f"{name}: this program has no secrets")
