"""The policy pack: what the engine hands it becomes the graph that our rules know, and they say the same of it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from select import select
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi.runtime.rpc import UNKNOWN

from infra.plan.graph import HIDDEN, Graph, Resource
from infra.policy.pack.validation import ASKED, graph, validation
from infra.policy.rule import Rule, judge
from infra.policy.rules import RULES
from infra.stackfile import ROOT
from tests.infra.test_policy import SAMPLES

START_S = 60


def arguments(whole: Graph) -> Any:
    """As pulumi_policy would hand a graph over: providers apart, values for references."""
    providers = {
        each.name: SimpleNamespace(name=each.name, resource_type=each.type, props=each.inputs)
        for each in whole.resources
        if each.is_provider
    }
    return SimpleNamespace(
        resources=[resource(each, providers, whole.project) for each in whole.resources if not each.is_provider]
    )


def resource(each: Resource, providers: dict[str, Any], project: str = "primetrade") -> Any:
    return SimpleNamespace(
        name=each.name,
        resource_type=each.type,
        urn=f"urn:pulumi:prod::{project}::{each.type}::{each.name}",
        props=valued(each.inputs),
        opts=SimpleNamespace(protect=each.protect),
        provider=providers.get(each.provider),
        dependencies=[SimpleNamespace(name=name) for name in each.depends_on],
    )


def valued(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: valued(each) for key, each in value.items()}
    if isinstance(value, list):
        return [valued(each) for each in value]
    return re.sub(r"\$\{([^}]+)\}", r"\1", value).replace(HIDDEN, "opened") if isinstance(value, str) else value


def said(rule: Rule, whole: Graph) -> list[str]:
    words: list[str] = []
    validation(rule)(arguments(whole), lambda text, urn: words.append(text))
    return words


def same(rule: Rule, whole: Graph) -> bool:
    return [f"{each.resource}: {each.words}" for each in judge(whole, (rule,))] == said(rule, whole)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_pack_says_of_every_sample_what_the_command_says(rule: Rule) -> None:
    """But where it cannot, and then it does not ask."""
    passing, failing = SAMPLES[rule.name]
    assert all(same(rule, each) for each in [*passing, *(sample for sample, _ in failing)]) is (rule in ASKED), (
        f"{rule.name}: a pack cannot judge it; name it in PLAN_ONLY"
    )


def test_what_a_preview_does_not_know_yet_is_left_out() -> None:
    """The rest of a resource is judged."""
    found = resource(Resource(name="group", type="aws:ec2/securityGroup:SecurityGroup"), {})
    found.props = Unknown(ingress=[], vpcId=None)
    assert {"ingress": []} == graph([found]).resources[0].inputs


class UnknownValueError(Exception):
    """As pulumi_policy's."""


class Unknown(dict[str, Any]):
    """Properties of which those without a value are not known yet."""

    def __getitem__(self, key: str) -> Any:
        if super().__getitem__(key) is None:
            raise UnknownValueError
        return super().__getitem__(key)


@pytest.mark.rehearsal
def test_the_pack_itself_answers_by_the_engines_protocol() -> None:
    """In its own environment: an open group is a mandatory violation, with the rule's reason."""
    with started() as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        pack = analyzer_pb2_grpc.AnalyzerStub(channel)
        found = pack.GetAnalyzerInfo(empty_pb2.Empty(), timeout=20)
        answer = pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=[open_group()]), timeout=20)
    assert [rule.name for rule in ASKED] == [policy.name for policy in found.policies]
    said = {each.policyName: each for each in answer.diagnostics}
    assert "group: cidrIpv4 is 0.0.0.0/0" in said["open-to-the-world"].message
    assert analyzer_pb2.MANDATORY == said["open-to-the-world"].enforcementLevel


def open_group() -> analyzer_pb2.AnalyzerResource:
    kind = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    found = analyzer_pb2.AnalyzerResource(type=kind, name="group", urn=f"urn:pulumi:prod::primetrade::{kind}::group")
    found.properties.update({"cidrIpv4": "0.0.0.0/0", "securityGroupId": UNKNOWN})
    return found


@contextmanager
def started() -> Iterator[int]:
    """The pack's process; gives its port."""
    python, folder = ROOT / ".venv-pack/bin/python", ROOT / "infra/policy/pack"
    with subprocess.Popen([python, folder], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready, _, _ = select([process.stdout], [], [], START_S)
            assert ready, f"the pack names no port after {START_S} s"
            yield int(process.stdout.readline())
        finally:
            process.kill()
