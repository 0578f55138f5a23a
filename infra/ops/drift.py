"""Drift: what is not as the programs say, and what is there that no program made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from infra.ops.account import Account
from infra.ops.engine import Owned, Stack, Step

# Tags that say that something in the cluster made it: such resources come and go with workloads.
CLUSTER_TAGS: Final = (
    *("kubernetes.io/", "karpenter.", "elbv2.k8s.aws/", "ingress.k8s.aws/", "service.k8s.aws/", "eks:"),
    "ebs.csi.aws.com/",
)
AWS_TAGS: Final = ("aws:",)  # made by another service of AWS: backups, groups of nodes


class Tagged(msgspec.Struct, frozen=True):
    """One resource that the tagging API found."""

    arn: str
    tags: Mapping[str, str]


class Drift(msgspec.Struct, frozen=True):
    """`changed`: program → steps that bring it back. `unowned`: ARNs with our tags that are in no stack's state."""

    changed: dict[str, tuple[Step, ...]]
    unowned: tuple[str, ...]
    of_cluster: tuple[str, ...]  # made by what runs in the cluster, or by AWS itself

    @property
    def none(self) -> bool:
        """Whether all is as it should be."""
        return not any(self.changed.values()) and not self.unowned


def drift(stack: Stack, tagged: Iterable[Tagged]) -> Drift:
    """Compare programs, states and account; nothing is changed, no state either."""
    changed: dict[str, tuple[Step, ...]] = {}
    owned: list[Owned] = []
    for program in stack.programs:
        stack.tell(f"{program.name}: reading its state")
        found = stack.engine.owned(program, stack.name)
        owned += found
        if found:
            stack.tell(f"{program.name}: comparing {len(found)} resources with what there is")
            changed[program.name] = stack.engine.preview(program, stack.name, refresh=True)
    stack.tell("looking for resources by their tags")
    return Drift(changed, *sort(tagged, owned))


def sort(tagged: Iterable[Tagged], owned: Collection[Owned]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """ARNs of no stack: those nobody accounts for, and those that the cluster or AWS made."""
    arns = {each.arn for each in owned}
    ids = {each.id for each in owned}
    stray = [each for each in tagged if each.arn not in arns and each.arn not in ids and _id(each.arn) not in ids]
    ours = [each for each in stray if not any(key.startswith(CLUSTER_TAGS + AWS_TAGS) for key in each.tags)]
    others = [each.arn for each in stray if each not in ours]
    return tuple(sorted(each.arn for each in ours)), tuple(sorted(others))


def _id(arn: str) -> str:
    """The id at the end of an ARN: "vpc-1" of "arn:aws:ec2:us-east-1:1:vpc/vpc-1"."""
    return arn.rpartition(":")[2].rpartition("/")[2]


def by_tags(account: Account, project: str, environment: str) -> list[Tagged]:
    """Everything in the region with our tags; what AWS cannot tag, and what was deleted hours ago, it may not know."""
    pages = account.tags.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": "project", "Values": [project]}, {"Key": "environment", "Values": [environment]}]
    )
    return [
        Tagged(each["ResourceARN"], {tag["Key"]: tag["Value"] for tag in each.get("Tags", [])})
        for page in pages
        for each in page["ResourceTagMappingList"]
    ]
