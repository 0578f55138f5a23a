"""What a new thing says of itself: ids, ARNs and addresses that look like AWS's own, made from nothing but its name."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from infra.plan import sdk
from infra.plan.graph import Json

# How ids begin; every other thing is known by its name, or by its ARN.
PREFIXES: Final = {
    "ec2/eip": "eipalloc",
    "ec2/flowLog": "fl",
    "ec2/internetGateway": "igw",
    "ec2/launchTemplate": "lt",
    "ec2/natGateway": "nat",
    "ec2/route": "r-rtb",
    "ec2/routeTable": "rtb",
    "ec2/routeTableAssociation": "rtbassoc",
    "ec2/defaultSecurityGroup": "sg",
    "ec2/securityGroup": "sg",
    "ec2/subnet": "subnet",
    "ec2/vpc": "vpc",
    "ec2/vpcEndpoint": "vpce",
    "vpc/securityGroupEgressRule": "sgr",
    "vpc/securityGroupIngressRule": "sgr",
    "efs/fileSystem": "fs",
    "efs/mountTarget": "fsmt",
    "efs/accessPoint": "fsap",
}
NAMED_BY_ARN: Final = ("iam/policy", "lb/", "alb/", "sns/topic", "secretsmanager/secret", "acm/certificate")
NAMES: Final = ("name", "identifier", "bucket", "userId", "userGroupId", "replicationGroupId", "clusterIdentifier")
SERVICES: Final = {"cloudwatch": "logs", "lb": "elasticloadbalancing", "alb": "elasticloadbalancing", "vpc": "ec2"}
WITHOUT_REGION: Final = ("iam", "route53", "cloudfront", "s3")
PORTS: Final = {"rds": 5432, "elasticache": 6379}


class Place(msgspec.Struct, frozen=True):
    """Where a thing is made, and the tags that go on everything there."""

    region: str
    account: str
    tags: dict[str, Json] = {}


def identity(token: str, urn_name: str, inputs: dict[str, Json], place: Place, generation: int) -> str:
    """The id of a new thing, another for each generation."""
    kind = token.split(":")[1]
    digits = hashlib.sha256(f"{token} {urn_name} {generation}".encode()).hexdigest()
    if prefix := PREFIXES.get(kind):
        return f"{prefix}-{digits[:17]}"
    if kind == "kms/key":
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
    if kind == "route53/record":
        return "_".join(str(inputs[key]) for key in ("zoneId", "name", "type", "setIdentifier") if key in inputs)
    given = next((str(inputs[key]) for key in NAMES if inputs.get(key)), f"{urn_name}-{digits[:7]}")
    return arn(token, given, place) if kind.startswith(NAMED_BY_ARN) else given


def arn(token: str, name: str, place: Place) -> str:
    """The ARN of a thing; a name that is one already stays."""
    if name.startswith("arn:"):
        return name
    module, _, kind = token.split(":")[1].partition("/")
    service = SERVICES.get(module, module)
    where = "" if service in WITHOUT_REGION else place.region
    rest = {"s3/bucket": name, "sns/topic": name, "sqs/queue": name, "rds/instance": f"db:{name}"}.get(
        f"{module}/{kind}", f"{'log-group' if kind == 'logGroup' else kind.lower()}{_joint(service)}{name}"
    )
    return f"arn:aws:{service}:{where}:{'' if service == 's3' else place.account}:{rest}"


def _joint(service: str) -> str:
    return ":" if service in ("logs", "rds", "elasticache", "secretsmanager", "lambda") else "/"


def outputs(token: str, made: str, inputs: dict[str, Json], place: Place) -> dict[str, Json]:
    """The inputs, and a likely value for every text that the type has besides."""
    module = token.split(":")[1].partition("/")[0]
    label = made.rpartition("/")[2].rpartition(":")[2]

    def leaf(kind: object, path: str) -> Json:
        key = path.rpartition(".")[2].removesuffix("[0]")
        if kind is int and key.lower().endswith("port"):
            return PORTS.get(module, 443)
        return text(key, label, token, place) if kind is str else 1 if kind is int else None

    known = sdk.properties(token)
    said = {key: sdk.filled(kind, key, leaf) for key, kind in known.items() if not key.endswith(("Wo", "Prefix"))}
    said |= {"arn": arn(token, made, place), "tagsAll": {**place.tags, **_tags(inputs)}, "region": place.region}
    return merged({key: each for key, each in said.items() if key in known}, inputs)


def merged(said: dict[str, Json], given: dict[str, Json]) -> dict[str, Json]:
    """What was given, with what a thing says of itself where nothing was, in structures too."""
    whole = {key: each for key, each in said.items() if each is not None} | given
    for key, each in given.items():
        more = said.get(key)
        if isinstance(each, dict) and isinstance(more, dict):
            whole[key] = merged(more, each)
    return whole


def _tags(inputs: dict[str, Json]) -> dict[str, Json]:
    found = inputs.get("tags")
    return found if isinstance(found, dict) else {}


def text(key: str, label: str, token: str, place: Place) -> str:
    """A likely text for a property of that name."""
    small = key.lower()
    if small.endswith(("arn", "arns")):
        return arn(token, f"{label}-{key}", place)
    if small.endswith(("address", "endpoint", "hostname", "domainname", "dnsname", "fqdn")):
        return f"{label}.stand-in.{place.region}.amazonaws.com"
    if small.endswith(("url", "uri", "issuer")):
        return f"https://{label}.stand-in.{place.region}.amazonaws.com"
    if small in ("name", "id"):
        return label
    return f"{label}-{key}"
