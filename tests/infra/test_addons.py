"""The program inside the cluster: what it reads exists, what it makes fits the charts of this repository."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.settings import Settings
from infra.addons import pools
from infra.addons.charts import BALANCER, CHARTS, TIMEOUT_S
from infra.addons.program import build
from infra.addons.read import outputs, reference
from infra.addons.values import VALUES
from infra.components.cluster import REVIEWERS
from infra.components.identity import APP
from infra.components.release import GROUP
from infra.config.cluster import Nodes
from infra.config.platform import Platform
from infra.errors import ConfigError
from infra.plan import golden, programs, run
from infra.plan.graph import Graph, Resource
from infra.plan.tree import difference_lines
from infra.policy.rule import judge
from infra.policy.rules import RULES
from infra.stackfile import ROOT, read_stack, stacks
from tests.helm.render import Object, laid, read, refusal, render

HERE = programs.PROGRAMS["addons"].directory


@cache
def planned(stack: str) -> Graph:
    return programs.plan("addons", stack)


@pytest.fixture(params=stacks())
def addons(request: pytest.FixtureRequest) -> Graph:
    """The plan of each environment in turn."""
    return planned(request.param)


def kind(graph: Graph, name: str) -> dict[str, Any]:
    """The first of a kind by its name in the graph."""
    return next(each for each in graph.resources if each.type.endswith(f":{name}")).inputs


def test_the_plan_is_the_committed_one(addons: Graph) -> None:
    """If a change is meant: primetrade infra plan STACK --program addons --write."""
    before = golden.read(addons.stack, addons.project)
    assert before is not None
    assert [] == list(difference_lines(before, addons))


def test_no_rule_is_broken(addons: Graph) -> None:
    """The same rules as of the platform, and those about what is in the cluster."""
    assert [] == judge(addons, RULES)


def test_every_environment_of_the_platform_has_its_addons() -> None:
    """Under the same name: the program reads the platform's file of its stack."""
    assert stacks() == programs.PROGRAMS["addons"].stacks


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the SDK drops what it would await
def test_an_export_that_is_gone_ends_the_plan(committed: Callable[[str], Graph]) -> None:
    """The contract between the programs is the platform's Outputs: a renamed field does not deploy half."""
    exports = {name: value for name, value in committed("dev").exports.items() if name != "cluster_endpoint"}
    with pytest.raises(ConfigError, match="exports no cluster_endpoint: run `pulumi up` of the platform"):
        run.record(
            lambda: run.run_program(HERE), "primetrade-addons", "dev", {}, references={reference("dev"): exports}
        )


def test_nothing_is_read_of_another_environment(addons: Graph) -> None:
    """One stack, of the same name."""
    found = [each for each in addons.resources if each.type == "pulumi:pulumi:StackReference"]
    assert [f"organization/primetrade/{addons.stack}"] == [each.inputs["name"] for each in found]


def test_charts_are_pinned_and_taken_back_when_they_do_not_become_ready(addons: Graph) -> None:
    """At the version of the one file, from the place that it names."""
    pinned = {chart.name: chart for chart in CHARTS}
    for release in addons.of("helm.sh/v3"):
        chart = pinned[release.name]
        oci = chart.source.startswith("oci://")
        assert (chart.version, chart.namespace, True) == (
            release.inputs["version"],
            release.inputs["namespace"],
            release.inputs["atomic"],
        )
        assert release.inputs["chart"] == (chart.source if oci else chart.chart)
        assert release.inputs.get("repositoryOpts") == (None if oci else {"repo": chart.source})


def test_chart_sources_stand_in_one_file() -> None:
    """Whoever mirrors them changes one file."""
    for path in ROOT.joinpath("infra").rglob("*.py"):
        if path.name != "charts.py":
            texts = [each.value for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Constant)]
            hosts = {chart.source.partition("//")[2].partition("/")[0] for chart in CHARTS}
            assert [] == [text for text in texts if isinstance(text, str) and any(host in text for host in hosts)]


def test_every_chart_has_values_and_each_needs_only_those_before_it() -> None:
    """In the order of the file."""
    names = [chart.name for chart in CHARTS]
    assert sorted(names) == sorted(VALUES)
    for at, chart in enumerate(CHARTS):
        assert set(chart.after) <= set(names[:at])


def test_the_load_balancers_controller_is_ready_before_other_pods_come(addons: Graph) -> None:
    """Its webhooks would refuse them; the chart of kinds alone has no pods."""
    for release in addons.of("helm.sh/v3"):
        if release.name not in (BALANCER, "karpenter-crd"):
            assert BALANCER in release.depends_on


def test_charts_whose_pods_have_no_place_among_the_systems_wait_for_pools_and_disks(addons: Graph) -> None:
    """Else Helm takes them back before a node is there. Karpenter's chart tolerates by itself."""
    pools_and_disks = {each.name for each in addons.resources if each.type.endswith((":NodePool", ":StorageClass"))}
    for release in addons.of("helm.sh/v3"):
        values: Any = release.inputs.get("values", {})
        on_pools = "tolerations" not in values and not release.name.startswith("karpenter")
        assert on_pools == bool(pools_and_disks & set(release.depends_on))
        assert not on_pools or pools_and_disks <= set(release.depends_on)


def test_whoever_releases_reaches_prometheus_and_nobody_else_outside_the_cluster(addons: Graph) -> None:
    """The networks that reach the API, by a load balancer that has no public address; without any there is none."""
    values: Any = addons["monitoring"].inputs["values"]
    networks = read_stack(addons.stack).platform.cluster.private_from
    service = values["prometheus"].get("service", {"type": "ClusterIP"})
    if not networks:
        assert service["type"] == "ClusterIP"
        return
    assert ("LoadBalancer", [*networks]) == (service["type"], service["loadBalancerSourceRanges"])
    assert service["annotations"]["service.beta.kubernetes.io/aws-load-balancer-scheme"] == "internal"


def test_a_release_has_time_for_a_node_to_come(addons: Graph) -> None:
    """Helm's own five minutes do not wait for a machine, a disk and images."""
    assert {TIMEOUT_S} == {each.inputs["timeout"] for each in addons.of("helm.sh/v3")}
    assert TIMEOUT_S > 600


def test_pods_are_lent_roles_by_the_names_that_the_charts_give_them(
    addons: Graph, committed: Callable[[str], Graph]
) -> None:
    """Namespace and service account of each association are those of a release, or of the application's slots."""
    made = set()
    for release in addons.of("helm.sh/v3"):
        values: Any = release.inputs.get("values", {})
        account = values.get("serviceAccount", {}).get("name", release.name)
        made.add((release.inputs["namespace"], account))
    made |= {(APP, f"{APP}-{slot}") for slot in ("blue", "green")}
    lent = {
        (each.inputs["namespace"], each.inputs["serviceAccount"])
        for each in committed(addons.stack).of("eks/podIdentityAssociation")
        if each.parent in ("identities", "karpenter")
    }
    assert lent <= made


def test_what_needs_a_kind_waits_for_the_chart_that_brings_it(committed: Callable[[str], Graph]) -> None:
    """Pools for Karpenter, the store for External Secrets."""
    prod = planned("prod")
    assert "karpenter" in prod["node-class"].depends_on
    assert "node-class" in prod["nodes-spot"].depends_on
    assert "external-secrets" in prod["secret-store"].depends_on
    assert {"secret-store"} <= set(prod["secret"].depends_on)


def test_karpenters_machines_have_the_doors_of_the_managed_group(committed: Callable[[str], Graph]) -> None:
    """Its security groups, its subnets, a profile and a queue that the platform made."""
    prod, platform = planned("prod"), committed("prod").exports
    spec = kind(prod, "EC2NodeClass")["spec"]
    assert [{"id": each} for each in platform["node_groups"]] == spec["securityGroupSelectorTerms"]  # type: ignore[attr-defined]
    assert [{"id": each} for each in platform["private_subnets"]] == spec["subnetSelectorTerms"]  # type: ignore[attr-defined]
    assert platform["node_profile"] == spec["instanceProfile"]
    settings: Any = prod["karpenter"].inputs["values"]
    assert platform["interruptions"] == settings["settings"]["interruptionQueue"]


def test_the_cluster_is_the_platforms(addons: Graph, committed: Callable[[str], Graph]) -> None:
    """By its address and certificate; the token is whose who deploys, and stands nowhere."""
    (provider,) = addons.of("pulumi:providers")
    config = json.loads(str(provider.inputs["kubeconfig"]))
    platform = committed(addons.stack).exports
    cluster = config["clusters"][0]["cluster"]
    assert platform["cluster_endpoint"] == cluster["server"]
    assert platform["cluster_ca"] == cluster["certificate-authority-data"]
    assert {"exec"} == config["users"][0]["user"].keys()


def test_the_applications_namespace_lets_in_only_restricted_pods(addons: Graph) -> None:
    """As the slot chart's are."""
    labels = kind(addons, "Namespace")["metadata"]["labels"]
    assert "restricted" == labels["pod-security.kubernetes.io/enforce"]


def test_the_secret_has_every_setting_that_the_application_must_be_given() -> None:
    """Those of app/settings.py without a default."""
    fields = msgspec.structs.fields(Settings)
    needed = {each.encode_name for each in fields if each.required}
    spec: Any = planned("prod")["secret"].inputs["spec"]
    assert needed == spec["target"]["template"]["data"].keys()


def test_passwords_are_put_into_addresses_only_in_the_cluster(committed: Callable[[str], Graph]) -> None:
    """The program knows names of secrets; External Secrets fills the template, quoted for an address."""
    platform = committed("prod").exports
    secrets: dict[str, Any] = {name: planned("prod")[name].inputs["spec"] for name in ("secret", "owner-secret")}
    words = {name: spec["target"]["template"]["data"] for name, spec in secrets.items()}
    for part, found in (
        ("database", words["secret"]["DATABASE_URL"]),
        ("owner", words["owner-secret"]["OWNER_DATABASE_URL"]),
    ):
        login = f"{{{{ .{part}_username | urlquery }}}}:{{{{ .{part}_password | urlquery }}}}"
        assert f"postgresql://{login}@{platform['database_host']}:5432/primetrade?sslmode=require" == found
    assert words["secret"]["REDIS_URL"].startswith("rediss://")
    used = {name: {each["remoteRef"]["key"] for each in spec["data"]} for name, spec in secrets.items()}
    own = {platform[name] for name in ("database_app_secret", "cache_secret", "app_secret")}
    assert {"secret": own, "owner-secret": {platform["database_secret"]}} == used


def test_only_the_migration_comes_as_the_owner_of_the_tables() -> None:
    """The pods' Secret has no login of the owner's, and only the Job of helm/eks-slot.yaml names the other."""
    image = {"repository": "registry.example/task-api", "tag": "1.0.0"}
    owner: Any = planned("prod")["owner-secret"].inputs["metadata"]
    for what, workload in (("slot", "Deployment"), ("migration", "Job")):
        more = {"render": what, "migration": {"releaseId": "r1"}, "version": "1.0.0", "image": image}
        made = objects("slot", "task-api.yaml", "eks-slot.yaml", **more)
        pod = next(each for each in made if each["kind"] == workload)["spec"]["template"]["spec"]
        names = [each["secretRef"]["name"] for each in pod["containers"][0]["envFrom"] if "secretRef" in each]
        assert (owner["name"] in names) == (what == "migration")
    assert "OWNER_DATABASE_URL" not in str(planned("prod")["secret"].inputs)


def test_the_second_region_has_no_login_until_it_is_promoted() -> None:
    """Its database is read-only, and its secret is production's."""
    assert [] == [each.name for each in planned("dr").resources if each.type.endswith(":ExternalSecret")]


def test_the_release_engine_gets_the_role_that_the_router_makes() -> None:
    """The group of its access entry, and the Role of helm/router by its name."""
    found = kind(planned("prod"), "RoleBinding")
    role = next(each for each in objects("router", "eks-router.yaml") if each["kind"] == "Role")
    assert role["metadata"]["name"] == found["roleRef"]["name"]
    assert [GROUP] == [each["name"] for each in found["subjects"]]


def test_what_the_cluster_makes_has_the_environments_tags(addons: Graph, committed: Callable[[str], Graph]) -> None:
    """Load balancers and disks: budgets count by them, drift and teardown look for them."""
    platform = committed(addons.stack)
    wanted = json.loads(str(platform.of("pulumi:providers")[0].inputs["defaultTags"]))["tags"]
    balancer: Any = addons[BALANCER].inputs["values"]
    assert wanted == balancer["defaultTags"]
    (disks,) = (each for each in platform.of("eks/addon") if "ebs-csi" in each.name)
    assert wanted == json.loads(str(disks.inputs["configurationValues"]))["controller"]["extraVolumeTags"]


def test_a_pull_request_sees_the_application_and_no_secret(addons: Graph) -> None:
    """Nobody has read its code: it looks at what the engine's own Role looks at, without Secrets and logs."""
    found = [each for each in addons.resources if each.type.endswith(":Role")]
    assert bool(read_stack(addons.stack).platform.github) == bool(found)
    for role in found:
        assert_looks_only(role, addons["reviewers"].inputs)


def assert_looks_only(role: Resource, bound: dict[str, Any]) -> None:
    """What `release plan` needs, and whom it is given to."""
    rules: Any = role.inputs["rules"]
    own = next(each for each in objects("router", "eks-router.yaml") if each["kind"] == "Role")["rules"]
    engine = {(group, kind, verb) for rule in own for group, kind, verb in rights(rule)}
    asked = {(group, kind, verb) for rule in rules for group, kind, verb in rights(rule)}
    routes = ("services", "ingresses", "httproutes")  # of the routers that are not this one, too
    assert {"get", "list"} == {verb for _, _, verb in asked}
    assert asked - {each for each in asked if each[1] in routes} <= engine
    assert not {"secrets", "pods/log", "*"} & {kind for _, kind, _ in asked}
    assert ([REVIEWERS], role.name) == ([each["name"] for each in bound["subjects"]], bound["roleRef"]["name"])


def rights(rule: dict[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """Group, kind and verb of each right that a rule gives."""
    return product(rule["apiGroups"], rule["resources"], rule["verbs"])


def test_the_load_balancer_asks_for_a_path_that_the_application_has() -> None:
    """Its pods would never be healthy otherwise, and no user be sent to them."""
    ingress = next(each for each in objects("router", "eks-router.yaml") if each["kind"] == "Ingress")
    asked = ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/healthcheck-path"]
    assert asked == read(ROOT / "release.yaml")["artefact"]["probes"]["traffic"]


def objects(chart: str, *files: str, **more: Any) -> list[Object]:
    """What a chart makes of files of values, laid one over the other; Kubernetes refuses none of it."""
    values: Object = {}
    for name in files:
        values = laid(values, read(ROOT / "helm" / name))
    end = "expand" if more.get("render") == "migration" else "blue"
    found = render(chart, laid(values, more), APP if chart == "router" else f"{APP}-{end}")
    assert [] == [word for each in found if (word := refusal(each))]
    return found


def test_the_slots_values_for_eks_fit_what_the_program_makes() -> None:
    """The Secret by its name, the share of spot by its label, an architecture that a pool has."""
    image = {"repository": "registry.example/task-api", "tag": "1.0.0"}
    made = objects("slot", "task-api.yaml", "eks-slot.yaml", version="1.0.0", image=image)
    pod = next(each for each in made if each["kind"] == "Deployment")["spec"]["template"]["spec"]
    spread = {each["topologyKey"] for each in pod["topologySpreadConstraints"]}
    assert {pools.SHARE, "topology.kubernetes.io/zone", "kubernetes.io/hostname"} == spread
    assert [{"secretRef": {"name": planned("prod").exports["secret"]}}] == [
        each for each in pod["containers"][0]["envFrom"] if "secretRef" in each
    ]
    wanted = pod["nodeSelector"]["kubernetes.io/arch"]
    for capacity in ("spot", "on-demand"):
        spec: Any = planned("prod")[f"nodes-{capacity}"].inputs["spec"]
        asked = {each["key"]: each["values"] for each in spec["template"]["spec"]["requirements"]}
        assert wanted in asked["kubernetes.io/arch"]


NODES = st.builds(
    Nodes,
    spot_percent=st.sampled_from([0, 25, 50, 75, 100]),
    architectures=st.sampled_from([("arm64",), ("amd64",), ("arm64", "amd64")]),
    max_cpu=st.integers(4, 2000),
    days=st.integers(1, 90),
)


@given(NODES, st.booleans())
def test_pools_share_out_what_there_is(nodes: Nodes, auto: bool) -> None:
    """Each share is on one capacity, the percent that was asked for; together they stay within the limit."""
    found: dict[str, Any] = {str(name): pool for name, pool in pools.pools(nodes, auto=auto).items()}
    shares = {
        capacity: [
            each
            for requirement in pool["template"]["spec"]["requirements"]
            if requirement["key"] == pools.SHARE
            for each in requirement["values"]
        ]
        for capacity, pool in found.items()
    }
    assert ["0", "1", "2", "3"] == sorted(each for values in shares.values() for each in values)
    assert nodes.spot_percent == 25 * len(shares.get("spot", []))
    assert sum(int(pool["limits"]["cpu"]) for pool in found.values()) <= nodes.max_cpu
    assert "on-demand" in found


def test_auto_mode_has_its_own_class_and_no_karpenter(graph_of: Callable[..., Graph]) -> None:
    """EKS brings it."""
    platform = graph_of(cluster={"mode": "auto"})
    spec = pools.auto_class(platform.exports["node_role"], [], [], {})
    assert "${primetrade-dev-nodes-role.name}" == spec["role"]
    pool: Any = pools.pools(Nodes(), auto=True)["spot"]
    assert "NodeClass" == pool["template"]["spec"]["nodeClassRef"]["kind"]


@settings(max_examples=6, deadline=None)  # each runs both programs
@given(
    zones=st.lists(st.sampled_from(["Z0AAAA", "Z0BBBB"]), max_size=2, unique=True),
    traces=st.sampled_from([0, 5]),
    mode=st.sampled_from(["karpenter", "auto"]),
)
def test_every_configuration_has_the_charts_that_it_needs(
    graph_of: Callable[..., Graph], zones: list[str], traces: int, mode: str
) -> None:
    """Names bring ExternalDNS, traces the collector, Auto Mode its own nodes; and their pods are lent roles."""
    sections = {"cluster": {"dns_zones": zones, "mode": mode}, "watch": {"trace_percent": traces}}
    made, whole = graph_of(**sections), msgspec.to_builtins(read_stack("dev").platform)
    for name, changes in sections.items():
        whole[name] |= changes
    found = msgspec.convert(whole, Platform)

    def program() -> None:
        build(found, outputs("dev"))

    addons = run.record(
        program,
        "primetrade-addons",
        "dev",
        {},
        references={reference("dev"): made.exports},
    )
    releases = {each.name: each for each in addons.of("helm.sh/v3")}
    assert (bool(zones), bool(traces)) == ("external-dns" in releases, "adot-collector" in releases)
    assert (mode == "karpenter") == ("karpenter" in releases)
    if zones:
        values: Any = releases["external-dns"].inputs["values"]
        assert [f"--zone-id-filter={zone}" for zone in zones] == values["extraArgs"]
    lent = {each.inputs["serviceAccount"] for each in made.of("eks/podIdentityAssociation")}
    assert {"external-dns", "adot-collector"} & releases.keys() == {"external-dns", "adot-collector"} & lent
    assert [] == judge(addons, RULES)


def test_the_program_is_short() -> None:
    """Load, build, export."""
    for name in programs.PROGRAMS:
        assert len(Path(programs.PROGRAMS[name].directory, "__main__.py").read_text().splitlines()) < 40
