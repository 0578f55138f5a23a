"""The rules. tests/infra/test_policy.py has a passing and a failing sample of each, and asks them of every stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Final

from infra.plan.graph import HIDDEN, Graph, Json, Resource
from infra.policy.addons import ADDONS_RULES
from infra.policy.cluster import CLUSTER_RULES
from infra.policy.edge import EDGE_RULES, headers
from infra.policy.events import EVENTS_RULES
from infra.policy.keeping import KEEPING
from infra.policy.rights import RIGHTS, listed
from infra.policy.rule import Rule, common_tags, everybody, follows, has, protected, said, wants, where_kept
from infra.policy.watching import WATCHING

TAGS: Final = ("project", "environment", "owner", "managed-by")
KUBERNETES: Final = "pulumi:providers:kubernetes"
SECRET_WORDS: Final = (
    *("password", "passwd", "passphrase", "token", "secretstring", "privatekey"),
    *("apikey", "accesskey", "secretkey", "clientsecret", "credentials"),
)
SECRET_ENDS: Final = tuple(f"{word}{end}" for word in SECRET_WORDS for end in ("", "s", "wo", "swo"))
NO_SECRETS: Final = ("httptokens",)  # named like them: whether a machine's metadata asks for one
SEALED: Final = ":core/v1:Secret"
FETCHED: Final = ":ExternalSecret"
DOORS: Final = ("vpc/securityGroupIngressRule", "ec2/securityGroupRule", "ec2/securityGroup")
BLOCKS: Final = ("cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks")


def from_anywhere(resource: Resource, graph: Graph) -> Iterator[str]:
    """Nobody comes from anywhere; the edge will be a network of AWS's own."""
    inline = listed(resource.inputs.get("ingress"))
    rules = [] if resource.inputs.get("type") == "egress" else [resource.inputs, *inline]
    for rule, key in product(rules, BLOCKS):
        for block in listed(rule.get(key)) if isinstance(rule, dict) else ():
            if everybody(block):
                yield f"{key} is {block}; name a security group or a block of our own"


def rules_inside(resource: Resource, graph: Graph) -> Iterator[str]:
    """Rules in a group replace what others add to it, and escape the rule above."""
    yield from (
        f"{key} stands in the group; make it a resource of its own"
        for key in ("ingress", "egress")
        if key in resource.inputs
    )


def owned(resource: Resource, graph: Graph) -> Iterator[str]:
    """Made by a provider that puts the common tags on, and none of them overridden."""
    provider = next((each for each in graph.of("pulumi:providers") if each.name == resource.provider), None)
    if provider is None:
        yield "is made by no provider of the program; account and region are whatever the shell has"
        return
    if provider.type == KUBERNETES:
        return  # which has labels, and no bill
    common = common_tags(provider)
    yield from (f"has no tag {tag}; give it to {provider.name}" for tag in TAGS if tag not in common)
    own = resource.inputs.get("tags")
    yield from (f"overrides the tag {tag}; leave it out" for tag in TAGS if isinstance(own, dict) and tag in own)


def backed_up(resource: Resource, graph: Graph) -> Iterator[str]:
    """A week of backups or more, that outlive the instance, and a last snapshot of what is no replica."""
    if follows(resource, graph):
        return
    days = resource.inputs.get("backupRetentionPeriod")
    if not isinstance(days, int) or days < 7:
        yield f"backupRetentionPeriod is {said(days)}; 7 or more are expected"
    replica = "replicateSourceDb" in resource.inputs  # of another region: RDS makes no last snapshot of it
    yield from wants(deleteAutomatedBackups=False, skipFinalSnapshot=replica)(resource, graph)


def watched(resource: Resource, graph: Graph) -> Iterator[str]:
    """A VPC has a flow log."""
    if not any(each.inputs.get("vpcId") == f"${{{resource.name}.id}}" for each in graph.of("ec2/flowLog")):
        yield "has no flow log; set network.flow_log_days"


def plain_secret(resource: Resource, graph: Graph) -> Iterator[str]:
    """What is named like a secret is marked as one, however deep it lies; so is all that a Secret holds.

    So are the headers that CloudFront adds.
    """
    sealed = resource.type.endswith(SEALED)
    for path, value in leaves(resource.inputs):
        name = re.sub(r"[^a-z]", "", path.rpartition(".")[2].lower())
        named = name.endswith(SECRET_ENDS) and name not in NO_SECRETS
        if resource.type.endswith(FETCHED) and (name == "secretkey" or str(value).startswith("{{")):
            continue  # the name of what is fetched, or the place where it will stand
        if (named or (sealed and path.startswith(("data.", "stringData.")))) and value != HIDDEN:
            yield f"{path} is not secret; take it from the stack's secrets"
    for path, value in headers(resource):
        if value != HIDDEN and path not in resource.secrets:
            yield f"{path} is not secret; take it from the stack's secrets"


def leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """The texts and numbers of an input with the keys that lead to them; those of a list share their key."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, path)
    elif value is not None and not isinstance(value, bool):
        yield path, value


def tls_of_cache(resource: Resource, graph: Graph) -> Iterator[str]:
    """TLS is the only way, and users have names."""
    yield from wants(transitEncryptionEnabled=True, transitEncryptionMode="required")(resource, graph)
    yield from has("userGroupIds")(resource, graph)


def tls_of_database(resource: Resource, graph: Graph) -> Iterator[str]:
    """PostgreSQL refuses what is not TLS."""
    found = resource.inputs.get("parameters")
    values = {each["name"]: each.get("value") for each in found} if isinstance(found, list) else {}
    if values.get("rds.force_ssl") != "1":
        yield "rds.force_ssl is not 1; clients could connect in clear"


def no_public_address(resource: Resource, graph: Graph) -> Iterator[str]:
    """A machine has a public address only if it says so."""
    if resource.inputs.get("mapPublicIpOnLaunch"):
        yield "mapPublicIpOnLaunch is true; false is expected"


RULES: Final = (
    Rule("open-to-the-world", DOORS, "Anybody could try it", "CIS 5.2", from_anywhere),
    Rule("rules-in-groups", ("ec2/securityGroup",), "They undo the rules that stand outside", "", rules_inside),
    Rule("default-group", ("ec2/defaultSecurityGroup",), "Who names no group is in it", "CIS 5.4", rules_inside),
    Rule("public-addresses", ("ec2/subnet",), "What is public must be meant", "EC2.15", no_public_address),
    Rule("flow-logs", ("ec2/vpc",), "Else nobody knows who talked to whom", "CIS 3.7, EC2.6", watched),
    *RIGHTS,
    Rule("whose-is-it", (), "Costs, and calls at night, go by tags", "", owned),
    Rule("plain-secrets", (), "More people read state files than secrets", "", plain_secret),
    Rule("secrets-sealed", ("secretsmanager/secret",), "By a key that we can take away", "", has("kmsKeyId")),
    Rule("keys-turn", ("kms/key",), "Old keys are worth stealing", "CIS 3.6, KMS.4", wants(enableKeyRotation=True)),
    Rule("keys-stay", ("kms/key",), "Without its key data is gone", "KMS.3", where_kept(protected)),
    Rule("logs-end", ("cloudwatch/logGroup",), "Kept for ever they cost", "CloudWatch.16", has("retentionInDays")),
    Rule("logs-sealed", ("cloudwatch/logGroup",), "In clear they talk", "", has("kmsKeyId")),
    Rule("database-sealed", ("rds/instance",), "Disks are copied", "CIS 2.3.1, RDS.3", wants(storageEncrypted=True)),
    Rule(
        "database-inside",
        ("rds/instance",),
        "Nobody outside needs it",
        "CIS 2.3.3, RDS.2",
        wants(publiclyAccessible=False),
    ),
    Rule("database-tls", ("rds/parameterGroup",), "Passwords would cross in clear", "RDS.38", tls_of_database),
    Rule("database-stays", ("rds/instance",), "Hands slip", "RDS.8", where_kept(wants(deletionProtection=True))),
    Rule("database-protected", ("rds/instance",), "Hands slip, in Pulumi first", "", where_kept(protected)),
    Rule("database-backups", ("rds/instance",), "What is lost is lost", "RDS.11", where_kept(backed_up)),
    Rule("proxy-tls", ("rds/proxy",), "Passwords would cross in clear", "", wants(requireTls=True)),
    Rule("cache-tls", ("elasticache/replicationGroup",), "Data would cross in clear", "ElastiCache.5", tls_of_cache),
    Rule(
        "cache-sealed",
        ("elasticache/replicationGroup",),
        "Snapshots are copied",
        "ElastiCache.4",
        wants(atRestEncryptionEnabled=True),
    ),
    Rule(
        "cache-fails-over",
        ("elasticache/replicationGroup",),
        "A node would take the cache with it",
        "ElastiCache.3",
        where_kept(wants(automaticFailoverEnabled=True)),
    ),
    *CLUSTER_RULES,
    *ADDONS_RULES,
    *EDGE_RULES,
    *EVENTS_RULES,
    *WATCHING,
    *KEEPING,
)
