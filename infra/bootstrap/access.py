"""Who may deploy: GitHub by OIDC, people by hand or at night; each by a role that is fixed here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import pulumi
import pulumi_aws as aws
from pulumi import Output

from infra.bootstrap import policies
from infra.bootstrap.config import Account
from infra.bootstrap.derive import read_permissions
from infra.bootstrap.names import Role
from infra.bootstrap.state import State
from infra.components.controllers import Statement, may
from infra.components.github import AUDIENCE, HOST, runs, taken_by
from infra.components.iam import policy
from infra.components.site import Component, Site

ENVIRONMENT: Final = "infrastructure"  # of GitHub; its reviewers let `pulumi up` on
HOUR_S: Final = 3600


class Access(Component):
    """`arns` are the roles by their names."""

    def __init__(self, site: Site, account: Account, state: State) -> None:
        super().__init__("Access", site)
        self.account, self.state = account, state
        number, name, github = account.account, account.name, account.github
        aws.iam.OpenIdConnectProvider(
            site.name("github"), url=f"https://{HOST}", client_id_lists=[AUDIENCE], opts=self.child()
        )
        self._boundary()
        found = read_permissions()
        self.arns: dict[Role, Output[str]] = {
            "plan": self._role(
                "plan",
                taken_by(number, github, "ref:refs/heads/main"),
                lambda bucket, key: [*policies.reads(found, number, name), *policies.looks_at_state(bucket, key)],
            ),
            "review": self._role(
                "review", taken_by(number, github, "pull_request"), lambda _, __: policies.reviews(number, name)
            ),
            "deploy": self._role(
                "deploy",
                policy(runs(number, github, f"environment:{ENVIRONMENT}"), *by_hand(account.deployers)),
                lambda bucket, key: [
                    *policies.reads(found, number, name),
                    *policies.writes(found, account.regions, number, name),
                    *([policies.forgets_nothing()] if account.data else policies.empties(name)),
                    *policies.keeps(bucket, key),
                    *policies.not_itself(number, name, bucket, key),
                ],
            ),
            "break-glass": self._role(
                "break-glass", policy(*by_hand(account.people)), lambda _, __: breaks_glass(number)
            ),
        }
        self.register_outputs({})

    def _boundary(self) -> None:
        name = f"{self.account.name}-{policies.BOUNDARY}"
        of = self.account
        text = policies.boundary(of.account, of.name, of.regions, keeps_data=of.data)
        aws.iam.Policy(
            self.site.name(policies.BOUNDARY), name=name, policy=text, tags={"Name": name}, opts=self._kept()
        )

    def _kept(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, protect=True)  # without them nobody can deploy anything

    def _role(self, part: Role, trust: str, of: Callable[[str, str], Iterable[Statement]]) -> Output[str]:
        name = f"{self.account.name}-{part}"
        role = aws.iam.Role(
            self.site.name(part),
            name=name,
            assume_role_policy=trust,
            max_session_duration=HOUR_S,
            tags={"Name": name},
            opts=self._kept(),
        )
        both = Output.all(self.state.bucket, self.state.key)
        # How many there are does not hang on the two ARNs, which are not known before the first `up`.
        count = len(policies.packed([*of("b" * 63, "k" * 75)]))
        for at in range(count):
            text = both.apply(partial(_piece, of, at))
            title = f"{name}-{at + 1}"
            made = aws.iam.Policy(
                self.site.name(part, str(at + 1)), name=title, policy=text, tags={"Name": title}, opts=self._kept()
            )
            aws.iam.RolePolicyAttachment(
                self.site.name(part, str(at + 1), "of"), role=role.name, policy_arn=made.arn, opts=self._kept()
            )
        return role.arn


def _piece(of: Callable[[str, str], Iterable[Statement]], at: int, arns: Sequence[str]) -> str:
    """One of the policies that a role's statements are cut into, once its two ARNs are known."""
    return policies.packed([*of(*arns)])[at]


def by_hand(people: Iterable[str]) -> list[Statement]:
    """Let these people take a role: users of IAM with a second factor, Identity Center's roles as they come.

    Its sessions never say whether there was a second factor, nor does any session of a role: Identity Center itself
    asks for it. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html
    """
    users = [each for each in people if ":user/" in each]
    roles = [each for each in people if each not in users]
    factor = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
    return [
        {"Action": "sts:AssumeRole", "Principal": {"AWS": who}, **condition}
        for who, condition in ((users, factor), (roles, {}))
        if who
    ]


def breaks_glass(account: str) -> list[Statement]:
    """It finds every cluster of the account; inside, its access entry makes it an administrator."""
    return [may(["eks:ListClusters"]), may(["eks:DescribeCluster"], f"arn:aws:eks:*:{account}:cluster/*")]
