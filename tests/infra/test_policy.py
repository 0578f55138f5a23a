"""The rules: each with a sample that passes and samples that fail, and all of them over every stack."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from infra.plan.graph import HIDDEN, Graph, Resource
from infra.plan.programs import plan
from infra.policy.rule import Rule, judge
from infra.policy.rules import RULES
from infra.policy.waivers import Waiver, read_waivers, waive
from scripts.commands.infra import command
from scripts.exits import Exit
from slo.yamlfile import YamlFileError
from tests.infra.samples import Samples, graph, one
from tests.infra.samples_addons import ADDONS_SAMPLES
from tests.infra.samples_cluster import CLUSTER_SAMPLES
from tests.infra.samples_edge import EDGE_SAMPLES, SAFE
from tests.infra.samples_events import EVENTS_SAMPLES
from tests.infra.samples_keeping import KEEPING_SAMPLES
from tests.infra.samples_rights import RIGHTS_SAMPLES
from tests.infra.samples_watching import WATCHING_SAMPLES

BY_NAME = {rule.name: rule for rule in RULES}
BACKED_UP = {"backupRetentionPeriod": 7, "deleteAutomatedBackups": False, "skipFinalSnapshot": False}
FORCED = {"parameters": [{"name": "rds.force_ssl", "value": "1"}]}
TLS = {"transitEncryptionEnabled": True, "transitEncryptionMode": "required", "userGroupIds": ["users"]}


LOG = Resource(name="log", type="aws:ec2/flowLog:FlowLog", provider="account", inputs={"vpcId": "${sample.id}"})
PRIMARY = Resource(
    name="primary",
    type="aws:rds/instance:Instance",
    provider="account",
    protect=True,
    inputs={"identifier": "first", **BACKED_UP},
)
ACCOUNT = Resource(name="account", type="pulumi:providers:aws")
UNTAGGED = Graph("sample", "sample", (ACCOUNT, one("sqs/queue", {})), {}, ())
KEY, DATABASE, CACHE = "kms/key", "rds/instance", "elasticache/replicationGroup"


def variables(**found: str) -> dict[str, object]:
    return {"environment": {"variables": found}}


def of_kubernetes(kind: str, **inputs: object) -> Resource:
    return Resource(name="sample", type=f"kubernetes:{kind}", provider="account", inputs=inputs)


FETCHED = "external-secrets.io/v1:ExternalSecret"
# Rule → what passes, and what fails with the words of the finding.
SAMPLES: Samples = {
    "open-to-the-world": (
        [
            graph(one("vpc/securityGroupIngressRule", {"cidrIpv4": "10.0.0.0/8"})),
            graph(one("vpc/securityGroupIngressRule", {"cidrIpv4": "${vpc.cidrBlock}"})),
            graph(one("ec2/securityGroupRule", {"type": "egress", "cidrBlocks": ["0.0.0.0/0"]})),
            graph(one("ec2/securityGroup", {"egress": [{"cidrBlocks": ["0.0.0.0/0"]}]})),
        ],
        [
            (graph(one("vpc/securityGroupIngressRule", {"cidrIpv4": "0.0.0.0/0"})), "cidrIpv4 is 0.0.0.0/0"),
            (graph(one("vpc/securityGroupIngressRule", {"cidrIpv6": "::/0"})), "cidrIpv6 is ::/0"),
            (graph(one("vpc/securityGroupIngressRule", {"cidrIpv4": "128.0.0.0/1"})), "cidrIpv4 is 128.0.0.0/1"),
            (graph(one("vpc/securityGroupIngressRule", {"cidrIpv6": "2000::/3"})), "cidrIpv6 is 2000::/3"),
            (
                graph(one("ec2/securityGroupRule", {"type": "ingress", "cidrBlocks": ["10.0.0.0/8", "0.0.0.0/0"]})),
                "cidrBlocks is 0.0.0.0/0",
            ),
            (
                graph(one("ec2/securityGroup", {"ingress": [{"ipv6CidrBlocks": ["::/0"]}]})),
                "ipv6CidrBlocks is ::/0",
            ),
        ],
    ),
    "rules-in-groups": (
        [graph(one("ec2/securityGroup", {}))],
        [(graph(one("ec2/securityGroup", {"egress": [{}]})), "egress stands in the group")],
    ),
    "default-group": (
        [graph(one("ec2/defaultSecurityGroup", {}))],
        [(graph(one("ec2/defaultSecurityGroup", {"ingress": [{}]})), "ingress stands in the group")],
    ),
    "public-addresses": (
        [graph(one("ec2/subnet", {"mapPublicIpOnLaunch": False}))],
        [(graph(one("ec2/subnet", {"mapPublicIpOnLaunch": True})), "mapPublicIpOnLaunch is true")],
    ),
    "flow-logs": (
        [graph(one("ec2/vpc", {}), LOG)],
        [(graph(one("ec2/vpc", {})), "has no flow log")],
    ),
    **RIGHTS_SAMPLES,
    "whose-is-it": (
        [graph(one("sqs/queue", {"tags": {"Name": "x"}}))],
        [
            (graph(one("sqs/queue", {"tags": {"owner": "me"}})), "overrides the tag owner"),
            (graph(Resource(name="x", type="aws:sqs/queue:Queue")), "is made by no provider"),
            (UNTAGGED, "has no tag owner"),
        ],
    ),
    "plain-secrets": (
        [
            graph(one(DATABASE, {"passwordWo": HIDDEN, "manageMasterUserPassword": True}, secrets=("passwordWo",))),
            graph(one("ec2/launchTemplate", {"metadataOptions": {"httpTokens": "required"}})),
            graph(one("lambda/function", variables(DATABASE_SECRET="${x.arn}", API_KEY=HIDDEN))),
            graph(of_kubernetes("helm.sh/v3:Release", values={"auth": {"existingSecret": "x", "password": HIDDEN}})),
            graph(of_kubernetes("core/v1:Secret", stringData={"x": HIDDEN})),
            graph(of_kubernetes(FETCHED, spec={"data": [{"secretKey": "x"}], "template": {"TOKEN": "{{ .x }}"}})),
        ],
        [
            (graph(one(DATABASE, {"password": "x"})), "password is not secret"),
            (graph(one("elasticache/user", {"passwords": ["x"]})), "passwords is not secret"),
            (graph(one("secretsmanager/secretVersion", {"secretString": "x"})), "secretString is not secret"),
            (graph(one("cloudfront/distribution", SAFE)), r"origins\[0\]\.customHeaders\[0\]\.value is not secret"),
            (graph(one("lambda/function", variables(DB_PASSWORD="x"))), r"environment\.variables\.DB_PASSWORD is not"),
            (graph(one("lambda/function", variables(API_KEY="x"))), r"environment\.variables\.API_KEY is not"),
            (
                graph(of_kubernetes("helm.sh/v3:Release", values={"users": [{"clientSecret": "x"}]})),
                r"values\.users\.clientSecret is not secret",
            ),
            (graph(of_kubernetes("core/v1:Secret", stringData={"x": "y"})), r"stringData\.x is not secret"),
            (graph(of_kubernetes(FETCHED, spec={"template": {"TOKEN": "x"}})), r"spec\.template\.TOKEN is not secret"),
        ],
    ),
    "secrets-sealed": (
        [graph(one("secretsmanager/secret", {"kmsKeyId": "x"}))],
        [(graph(one("secretsmanager/secret", {})), "kmsKeyId is missing")],
    ),
    "keys-turn": (
        [graph(one(KEY, {"enableKeyRotation": True}))],
        [(graph(one(KEY, {})), "enableKeyRotation is missing; true is expected")],
    ),
    "keys-stay": (
        [graph(one(KEY, {}, protect=True)), graph(one(KEY, {}), environment="dev")],
        [(graph(one(KEY, {})), "is not protected"), (graph(one(KEY, {}), environment="dr"), "is not protected")],
    ),
    "logs-end": (
        [graph(one("cloudwatch/logGroup", {"retentionInDays": 30}))],
        [(graph(one("cloudwatch/logGroup", {})), "retentionInDays is missing")],
    ),
    "logs-sealed": (
        [graph(one("cloudwatch/logGroup", {"kmsKeyId": "x"}))],
        [(graph(one("cloudwatch/logGroup", {})), "kmsKeyId is missing")],
    ),
    "database-sealed": (
        [graph(one(DATABASE, {"storageEncrypted": True}))],
        [(graph(one(DATABASE, {})), "storageEncrypted is missing")],
    ),
    "database-inside": (
        [graph(one(DATABASE, {"publiclyAccessible": False}))],
        [(graph(one(DATABASE, {"publiclyAccessible": True})), "publiclyAccessible is true")],
    ),
    "database-tls": (
        [graph(one("rds/parameterGroup", FORCED))],
        [(graph(one("rds/parameterGroup", {})), "rds.force_ssl is not 1")],
    ),
    "database-stays": (
        [graph(one(DATABASE, {"deletionProtection": True})), graph(one(DATABASE, {}), environment="dev")],
        [(graph(one(DATABASE, {})), "deletionProtection is missing")],
    ),
    "database-protected": (
        [
            graph(one(DATABASE, {}, protect=True)),
            graph(one(DATABASE, {"replicateSourceDb": "first"}), PRIMARY),
            graph(one(DATABASE, {}), environment="staging"),
        ],
        [
            (graph(one(DATABASE, {})), "is not protected"),
            (
                graph(one(DATABASE, {"replicateSourceDb": "arn:of:another"}), PRIMARY),
                "is not protected",
            ),
        ],
    ),
    "database-backups": (
        [
            graph(one(DATABASE, BACKED_UP)),
            graph(one(DATABASE, {"replicateSourceDb": "first"}), PRIMARY),
            graph(one(DATABASE, BACKED_UP | {"replicateSourceDb": "arn:of:another", "skipFinalSnapshot": True})),
        ],
        [
            (graph(one(DATABASE, BACKED_UP | {"replicateSourceDb": "arn:of:another"})), "skipFinalSnapshot is false"),
            (graph(one(DATABASE, BACKED_UP | {"backupRetentionPeriod": 6})), "backupRetentionPeriod is 6"),
            (graph(one(DATABASE, BACKED_UP | {"skipFinalSnapshot": True})), "skipFinalSnapshot is true"),
            (graph(one(DATABASE, BACKED_UP | {"deleteAutomatedBackups": True})), "deleteAutomatedBackups is true"),
        ],
    ),
    "proxy-tls": (
        [graph(one("rds/proxy", {"requireTls": True}))],
        [(graph(one("rds/proxy", {})), "requireTls is missing")],
    ),
    "cache-tls": (
        [graph(one(CACHE, TLS))],
        [
            (graph(one(CACHE, TLS | {"transitEncryptionMode": "preferred"})), "transitEncryptionMode is .preferred."),
            (graph(one(CACHE, TLS | {"userGroupIds": []})), "userGroupIds is missing"),
        ],
    ),
    "cache-sealed": (
        [graph(one(CACHE, {"atRestEncryptionEnabled": True}))],
        [(graph(one(CACHE, {})), "atRestEncryptionEnabled is missing")],
    ),
    "cache-fails-over": (
        [graph(one(CACHE, {"automaticFailoverEnabled": True})), graph(one(CACHE, {}), environment="dev")],
        [(graph(one(CACHE, {"automaticFailoverEnabled": False})), "automaticFailoverEnabled is false")],
    ),
    **CLUSTER_SAMPLES,
    **ADDONS_SAMPLES,
    **EDGE_SAMPLES,
    **EVENTS_SAMPLES,
    **WATCHING_SAMPLES,
    **KEEPING_SAMPLES,
}


def test_every_rule_has_samples_of_its_own() -> None:
    """No rule goes untried, and no two have one name."""
    assert [rule.name for rule in RULES] == list(SAMPLES)
    assert [] == [rule.name for rule in RULES if not rule.why]


@pytest.mark.parametrize(
    ("name", "sample"), [(name, sample) for name, (passing, _) in SAMPLES.items() for sample in passing]
)
def test_a_passing_sample_passes(name: str, sample: Graph) -> None:
    """The rule finds nothing."""
    assert [] == judge(sample, (BY_NAME[name],))


@pytest.mark.parametrize(
    ("name", "sample", "words"),
    [(name, sample, words) for name, (_, failing) in SAMPLES.items() for sample, words in failing],
)
def test_a_failing_sample_is_found(name: str, sample: Graph, words: str) -> None:
    """With the resource and what was found."""
    found = judge(sample, (BY_NAME[name],))
    assert [] != [each for each in found if re.match(words, each.words)]


def test_no_committed_stack_breaks_a_rule(stack: Graph) -> None:
    """All rules over all four."""
    assert [] == judge(stack, RULES)


def test_every_rule_has_something_to_judge(committed: Callable[[str], Graph], graph_of: Callable[..., Graph]) -> None:
    """A type that is spelled wrong would make a rule that cannot fail."""
    off = graph_of(events={}, audit={}, exports={})  # as yet
    graphs = (committed("prod"), plan("addons", "prod"), plan("bootstrap", "production"), off)
    assert [] == [rule.name for rule in RULES if rule.types and not any(each.of(*rule.types) for each in graphs)]


def test_policy_says_what_is_wrong_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """And with 0 where nothing is."""
    assert Exit.DONE == CliRunner().invoke(command, ["policy", "prod"]).exit_code
    strict = Rule("strict", ("kms/key",), "For this test", "TEST.1", BY_NAME["logs-end"].check)
    monkeypatch.setattr("infra.policy.rules.RULES", (strict,))
    done = CliRunner().invoke(command, ["policy", "dev"])
    assert Exit.ERROR == done.exit_code
    assert "primetrade-dev-key-data: retentionInDays is missing; give one" in done.stdout
    assert "    strict: For this test (TEST.1)" in done.stdout
    found = msgspec.json.decode(CliRunner().invoke(command, ["policy", "dev", "--json"]).stdout)
    keys = [f"primetrade-dev-key-{purpose}" for purpose in ("alerts", "data", "logs")]
    assert keys == [each["resource"] for each in found["findings"]]


WAIVER = Waiver("dev", "keys-turn", "sample", "sre@primetrade.ai", "a test", date(2027, 1, 31))
FOUND = judge(graph(one(KEY, {})), (BY_NAME["keys-turn"],))


@pytest.mark.parametrize(
    ("waiver", "stack_name", "day", "counts"),
    [
        (WAIVER, "dev", date(2027, 1, 30), (0, 1, 0)),
        (WAIVER, "dev", date(2027, 1, 31), (1, 0, 1)),
        (WAIVER, "prod", date(2027, 1, 1), (1, 0, 0)),
        (msgspec.structs.replace(WAIVER, rule="flow-logs"), "dev", date(2027, 1, 1), (1, 0, 1)),
        (msgspec.structs.replace(WAIVER, resource="other"), "dev", date(2027, 1, 1), (1, 0, 1)),
    ],
)
def test_a_waiver_holds_for_one_finding_until_its_day(
    waiver: Waiver, stack_name: str, day: date, counts: tuple[int, int, int]
) -> None:
    """Of its stack, rule and resource; one that has ended or waives nothing is named."""
    judged = waive(FOUND, [waiver], stack_name, day)
    assert counts == (len(judged.findings), len(judged.waived), len(judged.stale))


def test_the_committed_waivers_can_be_read() -> None:
    """Whatever they are."""
    assert isinstance(read_waivers(), tuple)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rule": "nonsense"}, r"waivers\[0\]\.rule: there is no nonsense; one of open-to-the-world"),
        ({"until": "some day"}, r"waivers\[0\]\.until: "),
        ({"reason": ""}, r"waivers\[0\]\.reason: "),
        ({"resorce": "x"}, r"waivers\[0\]\.resorce: unknown key"),
    ],
)
def test_a_waiver_that_says_nothing_is_refused(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    """By file, line and key."""
    whole = {"version": 1, "waivers": [{**msgspec.to_builtins(WAIVER), **changes}]}
    (tmp_path / "waivers.yaml").write_text(yaml.safe_dump(whole))
    with pytest.raises(YamlFileError, match=words):
        read_waivers(tmp_path / "waivers.yaml")
