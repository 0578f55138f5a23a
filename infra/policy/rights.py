"""Rules about what may be done, and by whom: every policy document, and every policy that AWS keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from infra.plan.graph import Graph, Json, Resource
from infra.policy.rule import Rule, said

POLICIES: Final = ("policy", "policyDocument", "assumeRolePolicy")
BOUNDARY: Final = "-boundary"  # how a name ends of a policy that grants nothing, and only bounds others
EVERYBODY: Final = ("*", {"AWS": "*"}, {"AWS": ["*"]})
WRITTEN: Final = tuple(f"iam/{kind}" for kind in ("policy", "role", "rolePolicy", "userPolicy", "groupPolicy"))
ATTACHED: Final = tuple(
    f"iam/{kind}"
    for kind in (
        *("role", "rolePolicyAttachment", "rolePolicyAttachmentsExclusive"),
        *("policyAttachment", "userPolicyAttachment", "groupPolicyAttachment"),
    )
)
# Conditions that say who, or from where: all others leave it to anybody, at some time or by some program.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
WHO: Final = frozenset(
    {
        *(f"aws:principal{each}" for each in ("arn", "account", "orgid", "orgpaths")),
        *(f"aws:source{each}" for each in ("arn", "account", "orgid", "orgpaths", "vpc", "vpce")),
        *("kms:calleraccount", "elasticfilesystem:accessedviamounttarget"),
    }
)
TESTS: Final = re.compile(r"(ForAnyValue:)?(StringEquals|StringLike|ArnEquals|ArnLike|Bool)", re.IGNORECASE)
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html: all of an account, or of a service.
ADMIN: Final = re.compile(r"FullAccess|Administrator|PowerUser", re.IGNORECASE)


def statements(resource: Resource) -> Iterator[dict[str, Json]]:
    """The statements of every policy among the inputs of a resource, as text or as an object."""
    inline = listed(resource.inputs.get("inlinePolicies"))
    for found in (resource.inputs, *(each for each in inline if isinstance(each, dict))):
        for key in POLICIES:
            yield from stated(found.get(key))


def stated(document: Json) -> Iterator[dict[str, Json]]:
    """The statements of one policy, as text or as an object."""
    if isinstance(document, str):
        document = json.loads(document) if document.lstrip().startswith("{") else None
    if isinstance(document, dict):
        yield from (each for each in listed(document.get("Statement")) if isinstance(each, dict))


def listed(value: Json) -> list[Json]:
    """What may stand alone, as a list."""
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def every_action(resource: Resource, graph: Graph) -> Iterator[str]:
    """No statement allows everything, everything of a service, or everything but something."""
    for statement in statements(resource):
        if statement.get("Effect") != "Allow":
            continue
        wide = [str(each) for each in listed(statement.get("Action")) if not str(each).rpartition(":")[2].strip("*?")]
        if wide:
            yield f"allows {', '.join(wide)}; name the actions"
        for key in ("NotAction", "NotResource"):
            if key in statement and not bounds(resource):
                yield f"allows all but {key} {said(statement[key])}; name what is allowed"


def bounds(resource: Resource) -> bool:
    """Whether a policy is named as a boundary; `only_bounds` sees to it that it is one."""
    return str(resource.inputs.get("name", "")).endswith(BOUNDARY)


def only_bounds(resource: Resource, graph: Graph) -> Iterator[str]:
    """A boundary is given to nobody as a right."""
    own = (f"${{{resource.name}.arn}}", f":policy/{resource.inputs.get('name')}")
    if bounds(resource):
        yield from (
            f"is a boundary, and {each.name} gives it as a right; take permissionsBoundary"
            for each in graph.of(*ATTACHED)
            if any(arn.endswith(own) for arn in attached(each))
        )


def attached(resource: Resource) -> Iterator[str]:
    """The ARNs of the policies that it gives to somebody."""
    for key in ("policyArn", "policyArns", "managedPolicyArns"):
        yield from (str(each) for each in listed(resource.inputs.get(key)))


def admin_policy(resource: Resource, graph: Graph) -> Iterator[str]:
    """Nobody is given an administrator's policy that AWS keeps."""
    for arn in attached(resource):
        if arn.startswith("arn:aws:iam::aws:") and ADMIN.search(name := arn.rpartition("/")[2]):
            yield f"gives {name}; write a policy that names the actions"


def anybody(resource: Resource, graph: Graph) -> Iterator[str]:
    """No statement allows anybody, or anybody but somebody, without a condition that says who."""
    for statement in statements(resource):
        wide = statement.get("Principal") in EVERYBODY or "NotPrincipal" in statement
        if wide and statement.get("Effect") == "Allow" and not says_who(statement.get("Condition")):
            yield "allows anybody; name who, by Principal or a condition such as aws:PrincipalOrgID"


def says_who(condition: Json) -> bool:
    """Whether a condition holds for somebody of ours only: one of its keys is of WHO, and is more than a star."""
    tests = condition.items() if isinstance(condition, dict) else ()
    return any(
        TESTS.fullmatch(test) and key.lower() in WHO and "*" not in listed(value)
        for test, keys in tests
        if isinstance(keys, dict)
        for key, value in keys.items()
    )


RIGHTS: Final = (
    Rule("every-action", WRITTEN, "One stolen role would be the account", "CIS 1.16, IAM.1, IAM.21", every_action),
    Rule("boundaries-bound", ("iam/policy",), "As a right it is nearly all of the account", "", only_bounds),
    Rule("admin-policies", ATTACHED, "So would this one", "CIS 1.16, IAM.1", admin_policy),
    Rule("anybody", (), "A policy without a name invites everybody", "", anybody),
)
