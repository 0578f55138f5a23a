"""What passes and what fails the rules about what may be done."""

from __future__ import annotations

import json
from typing import Any

from infra.plan.graph import Graph, Resource
from tests.infra.samples import Samples, allows, graph, one

INSIDE = {"inlinePolicies": [{"name": "x", **allows(Action="*")}]}
BESIDE = {"NotAction": ["iam:*"], "Resource": "*"}
AMAZON = "arn:aws:iam::aws:policy/"


def document(**statement: Any) -> dict[str, Any]:
    """A policy as an object, with one statement that stands alone."""
    return {"policy": {"Statement": {"Effect": "Allow", **statement}}}


def boundary(*given: str) -> Graph:
    """A policy that bounds others, given to a role by these ARNs."""
    made = one("iam/policy", {**allows(**BESIDE), "name": "x-boundary"})
    return graph(made, *(given_to_role(arn, name=f"given-{at}") for at, arn in enumerate(given)))


def given_to_role(arn: str, **options: Any) -> Resource:
    return one("iam/rolePolicyAttachment", {"role": "x", "policyArn": arn}, **options)


def provided(**condition: Any) -> Graph:
    """A queue for anybody for whom a condition holds."""
    return graph(one("sqs/queuePolicy", allows(Principal="*", Condition=condition)))


RIGHTS_SAMPLES: Samples = {
    "every-action": (
        [
            graph(one("iam/rolePolicy", allows(Action=["s3:GetObject", "s3:List*"], Resource="*"))),
            graph(one("iam/policy", {"policy": json.dumps({"Statement": [{"Effect": "Deny", **BESIDE}]})})),
            boundary(),
        ],
        [
            (graph(one("iam/rolePolicy", allows(Action="*"))), "allows [*]"),
            (graph(one("iam/policy", allows(Action=["s3:*"]))), "allows s3:[*]"),
            (graph(one("iam/policy", allows(Action="*:*"))), r"allows [*]:[*]"),
            (graph(one("iam/policy", {"policy": f" {allows(Action='*')['policy']}"})), "allows [*]"),
            (graph(one("iam/userPolicy", document(Action="*"))), "allows [*]"),
            (graph(one("iam/role", INSIDE)), "allows [*]"),
            (graph(one("iam/policy", allows(**BESIDE))), r'allows all but NotAction \["iam:[*]"\]'),
            (
                graph(one("iam/rolePolicy", allows(Action="s3:GetObject", NotResource="a"))),
                "allows all but NotResource",
            ),
        ],
    ),
    "boundaries-bound": (
        [boundary(), boundary("${other.arn}", f"{AMAZON}AmazonEKS_CNI_Policy")],
        [
            (boundary("${other.arn}", "${sample.arn}"), "is a boundary, and given-1 gives it as a right"),
            (boundary("arn:aws:iam::111111111111:policy/x-boundary"), "is a boundary, and given-0 gives it"),
        ],
    ),
    "admin-policies": (
        [
            graph(given_to_role(f"{AMAZON}service-role/AmazonEBSCSIDriverPolicy")),
            graph(given_to_role("arn:aws:iam::111111111111:policy/OurFullAccess")),  # which every-action reads
        ],
        [
            (graph(given_to_role(f"{AMAZON}AdministratorAccess")), "gives AdministratorAccess; write a policy"),
            (graph(given_to_role(f"{AMAZON}AmazonS3FullAccess")), "gives AmazonS3FullAccess"),
            (graph(given_to_role(f"{AMAZON}PowerUserAccess")), "gives PowerUserAccess"),
            (graph(given_to_role(f"{AMAZON}job-function/DatabaseAdministrator")), "gives DatabaseAdministrator"),
            (graph(one("iam/role", {"managedPolicyArns": [f"{AMAZON}IAMFullAccess"]})), "gives IAMFullAccess"),
            (graph(one("iam/userPolicyAttachment", {"policyArn": f"{AMAZON}IAMFullAccess"})), "gives IAMFullAccess"),
            (
                graph(one("iam/rolePolicyAttachmentsExclusive", {"policyArns": [f"{AMAZON}IAMFullAccess"]})),
                "gives IAMFullAccess",
            ),
        ],
    ),
    "anybody": (
        [
            provided(StringEquals={"aws:SourceAccount": "1"}),
            provided(ArnLike={"AWS:SourceArn": "arn:aws:sns:us-east-1:1:x"}, Bool={"aws:SecureTransport": "true"}),
        ],
        [
            (graph(one("sqs/queuePolicy", allows(Principal="*"))), "allows anybody"),
            (graph(one("s3/bucketPolicy", allows(Principal={"AWS": "*"}))), "allows anybody"),
            (graph(one("s3/bucketPolicy", allows(Principal={"AWS": ["*"]}))), "allows anybody"),
            (graph(one("s3/bucketPolicy", allows(NotPrincipal={"AWS": "arn:x"}))), "allows anybody"),
            (provided(Bool={"aws:SecureTransport": "true"}), "allows anybody"),
            (provided(StringNotEquals={"aws:SourceAccount": "1"}), "allows anybody"),
            (provided(StringEqualsIfExists={"aws:SourceAccount": "1"}), "allows anybody"),
            (provided(StringLike={"aws:PrincipalArn": "*"}), "allows anybody"),
        ],
    ),
}
