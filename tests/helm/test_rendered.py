"""What the charts render: golden files, Kubernetes' schemas, and what holds of every case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.release.kubernetes import httproute
from scripts.release.kubernetes.service import Form
from scripts.release.route import Audience, Target, Weights
from tests.helm.render import (
    CASES,
    GOLDEN,
    HELM,
    Object,
    case_values,
    golden,
    golden_text,
    laid,
    only,
    read,
    refusal,
    render,
)
from tests.release.kubernetes.routes import frame, patched

SLOT: Object = {"version": "1.0.0", "image": {"repository": "local/shop", "tag": "1.0.0"}}


def name(case: Path) -> str:
    return golden(case).stem


def pods(found: list[Object]) -> Iterator[Object]:
    """The pod specs in them."""
    for each in found:
        if each["kind"] == "Pod":
            yield each["spec"]
        elif each["kind"] in ("Deployment", "Job"):
            yield each["spec"]["template"]["spec"]


def slot(**values: object) -> list[Object]:
    return render("slot", {**SLOT, **values})


@pytest.mark.parametrize("case", CASES, ids=name)
def test_each_case_renders_to_its_golden_file(case: Path) -> None:
    """After a change on purpose: `python -m tests.helm.write`, and read the diff."""
    assert golden(case).read_text() == golden_text(case)


def test_each_golden_file_has_a_case() -> None:
    """No file stays behind when its case goes."""
    assert {golden(case) for case in CASES} == set(GOLDEN.iterdir())


@pytest.mark.parametrize("case", CASES, ids=name)
def test_kubernetes_knows_every_field(case: Path) -> None:
    """Each manifest satisfies the schema of its kind, which refuses fields it does not know."""
    found = render(case.parent.parent.name, case_values(case))

    assert found
    assert [None] * len(found) == [refusal(each) for each in found]


def test_the_schemas_refuse_what_is_wrong() -> None:
    """A misspelt field is found, in a kind of Kubernetes and in a custom one."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"selektor": {}}}
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": {"rule": []}}

    assert "selektor" in str(refusal(service))
    assert "rule" in str(refusal(route))


@pytest.mark.parametrize("case", CASES, ids=name)
def test_every_pod_satisfies_the_restricted_profile(case: Path) -> None:
    """No root, no escalation, no capability, the default seccomp profile, a read-only root, and no token."""
    for pod in pods(render(case.parent.parent.name, case_values(case))):
        security, volumes = pod["securityContext"], pod.get("volumes", [])
        assert (True, {"type": "RuntimeDefault"}) == (security["runAsNonRoot"], security["seccompProfile"])
        assert security["runAsUser"] > 0
        assert pod["automountServiceAccountToken"] is False
        assert all(set(volume) == {"name", "emptyDir"} for volume in volumes)
        for container in pod["containers"]:
            expected = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
            assert container["securityContext"] == {**expected, "readOnlyRootFilesystem": True}


@pytest.mark.parametrize("case", CASES, ids=name)
def test_no_image_floats(case: Path) -> None:
    """Each image has a digest or a tag that is not `latest`."""
    for pod in pods(render(case.parent.parent.name, case_values(case))):
        for container in pod["containers"]:
            image = container["image"]
            assert "@sha256:" in image or image.rpartition(":")[2] not in ("", "latest", image)


def test_a_digest_beats_the_tag() -> None:
    """What was tested is what runs, whatever the tag means by now."""
    digest = "sha256:" + "0" * 64
    found = slot(image={"repository": "local/shop", "tag": "1.0.0", "digest": digest})

    assert only(found, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"] == f"local/shop@{digest}"


@pytest.mark.parametrize(
    ("scaling", "kind"),
    [
        ({"driver": "hpa"}, "HorizontalPodAutoscaler"),
        ({"driver": "keda", "triggers": {"cron": {"type": "cron", "metadata": {}}}}, "ScaledObject"),
    ],
)
def test_what_is_scaled_has_no_replicas(scaling: Object, kind: str) -> None:
    """An upgrade must not undo what an autoscaler did."""
    found = slot(autoscaling=scaling)

    assert "replicas" not in only(found, "Deployment")["spec"]
    assert only(found, kind)["spec"]["scaleTargetRef"]["name"] == "shop-blue"


def test_no_replica_may_be_asked_for() -> None:
    """Zero pods are zero, not the default."""
    assert only(slot(replicas=0), "Deployment")["spec"]["replicas"] == 0


def test_services_select_by_name_instance_and_slot_alone() -> None:
    """A version in a selector would empty the Service in the middle of an upgrade."""
    selector = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": "shop", "slot": "blue"}
    found = slot()
    engine = Form("shop-space", "shop", "shop")

    assert selector == only(found, "Service")["spec"]["selector"]
    assert selector == only(found, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert selector == engine.selector("blue")
    assert selector.items() <= only(found, "Deployment")["spec"]["template"]["metadata"]["labels"].items()


def test_configuration_has_another_name_as_soon_as_it_is_another() -> None:
    """A slot that is rolled back finds the configuration it had: Helm keeps it, and nobody can change it."""
    old, new = (only(slot(config={"COLOUR": colour}), "ConfigMap") for colour in ("red", "pink"))
    same = only(slot(config={"COLOUR": "red"}, replicas=7), "ConfigMap")

    assert old["metadata"]["name"] == same["metadata"]["name"] != new["metadata"]["name"]
    assert old["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert old["immutable"] is True


def test_installing_a_slot_never_migrates() -> None:
    """A slot has no Job, though its values say how to migrate; the migration has no slot that a Service could find."""
    values = {"migration": {"releaseId": "r1", "command": ["migrate"]}, "config": {"SLOT": "{{ .Values.slot }}"}}
    kinds = {each["kind"] for each in slot(**values)}
    alone = slot(**values, render="migration")
    job = only(alone, "Job")

    assert "Job" not in kinds
    assert {"Job", "ServiceAccount"} == {each["kind"] for each in alone}
    assert job["metadata"]["name"] == "shop-expand-r1"
    assert "slot" not in job["spec"]["template"]["metadata"]["labels"]
    assert [{"name": "SLOT", "value": "blue"}] == job["spec"]["template"]["spec"]["containers"][0]["env"]


def test_what_the_owner_of_the_tables_knows_only_the_migration_gets() -> None:
    """Its Job has both Secrets, the pods of slots the one of the application."""
    values = {"secret": "app", "migration": {"releaseId": "r1", "command": ["migrate"], "secret": "owner"}}
    job, deployment = only(slot(**values, render="migration"), "Job"), only(slot(**values), "Deployment")
    got = [
        [each["secretRef"]["name"] for each in pod["containers"][0]["envFrom"] if "secretRef" in each]
        for pod in (job["spec"]["template"]["spec"], deployment["spec"]["template"]["spec"])
    ]
    assert [["app", "owner"], ["app"]] == got


@pytest.mark.parametrize("account", [{}, {"name": "shop"}, {"create": False}])
def test_no_object_is_made_by_two_releases(account: Object) -> None:
    """Helm refuses one that another release has made: both slots and the migration stand beside each other."""
    every: list[Object] = [
        {"slot": "blue"},
        {"slot": "green"},
        {"render": "migration", "migration": {"releaseId": "r1", "command": ["migrate"]}},
    ]
    made = [
        (each["kind"], each["metadata"]["name"])
        for values in every
        for each in slot(**values, serviceAccount=account)
        if each["kind"] != "Pod"  # of `helm test`, which makes it anew
    ]
    assert len(made) == len({*made})


def test_a_named_service_account_is_used_and_not_made() -> None:
    """Somebody else made it."""
    found = slot(serviceAccount={"name": "shop"})

    assert "ServiceAccount" not in {each["kind"] for each in found}
    assert only(found, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "shop"


@pytest.mark.parametrize(
    "over", [{}, read(HELM / "task-api.yaml"), laid(read(HELM / "task-api.yaml"), read(HELM / "eks-slot.yaml"))]
)
def test_gates_see_figures_several_times_in_their_shortest_look(over: Object) -> None:
    """A hold of release.yaml that saw one scrape would judge nothing."""
    monitor = only(slot(**laid(over, {"serviceMonitor": {"enabled": True}})), "ServiceMonitor")
    interval = float(monitor["spec"]["endpoints"][0]["interval"].removesuffix("s"))
    hold = float(read(HELM.parent / "release.yaml")["hold"]["duration"].removesuffix("s"))

    assert interval * 4 <= hold


def test_whoever_guards_the_admin_port_lets_the_api_server_in() -> None:
    """The engine asks and drains pods through it; the example that is locked down shows how."""
    policy = only(render("slot", case_values(HELM / "slot/ci/locked-down-values.yaml")), "NetworkPolicy")
    (admin,) = [rule for rule in policy["spec"]["ingress"] if rule["ports"][0]["port"] == "admin"]

    assert any("ipBlock" in peer for peer in admin["from"])


def test_pods_wait_before_they_end() -> None:
    """The kubelet sleeps, so an image needs no shell for it."""
    pod = only(slot(), "Deployment")["spec"]["template"]["spec"]

    assert pod["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 3}}}
    assert pod["terminationGracePeriodSeconds"] == 30


@pytest.mark.parametrize("driver", ["service", "gateway", "alb"])
def test_the_deployer_may_do_no_more_than_it_needs(driver: str) -> None:
    """No wildcard, nothing outside the namespace, and of routes only this driver's, only to be changed."""
    parents = {"gateway": {"parents": {"public": {}}}} if driver == "gateway" else {}
    found = render("router", {"driver": driver, "deployer": {"enabled": True}, **parents})
    rules = only(found, "Role")["rules"]
    named = [rule for rule in rules if rule["resources"][0] in ("httproutes", "ingresses", "gateways")]
    routes = {rule["resources"][0]: rule for rule in named if rule["resourceNames"] == ["shop"]}
    changed = {"gateway": {"httproutes"}, "alb": {"ingresses"}, "service": set()}[driver]

    assert not {"ClusterRole", "ClusterRoleBinding"} & {each["kind"] for each in found}
    assert not any("*" in rule[field] for rule in rules for field in ("apiGroups", "resources", "verbs"))
    assert all(rule["resourceNames"] in (["shop"], ["shop-preview"], ["public"]) for rule in named)
    assert changed == {name for name, rule in routes.items() if "patch" in rule["verbs"]}
    assert not any(resource.partition("/")[2] == "exec" for rule in rules for resource in rule["resources"])


TARGETS = [
    Target.all_on("blue"),
    Target(Weights(75, 25)),
    Target(Weights(100, 0), "green", Audience({"x-beta": "yes"})),
    Target(Weights(100, 0), mirror="green"),
]


def routes() -> Iterator[Object]:
    """The HTTPRoutes of every case, the users' one as it is written for every kind of target."""
    for case in CASES:
        for each in render(case.parent.parent.name, case_values(case)):
            if each["kind"] == "HTTPRoute" and each["spec"].get("rules"):
                yield each
    form = httproute.Form("shop-space", "shop")
    for target in TARGETS:
        yield patched(frame("gateway"), form.ops(frame("gateway"), target))


def test_no_backend_has_a_filter_of_its_own() -> None:
    """Envoy Gateway would make a cluster of each backend and answer 500 as a weight goes to or from 0."""
    rules = [(each["metadata"]["name"], rule) for each in routes() for rule in each["spec"]["rules"]]
    assert {"shop", "shop-preview"} == {name for name, _ in rules}
    assert any("filters" in rule for _, rule in rules)  # a copy of reads is the rule's own
    assert not any("filters" in backend for _, rule in rules for backend in rule["backendRefs"])


def test_a_pod_is_asked_every_second_whether_it_is_ready() -> None:
    """After a restart of the kubelet it gets no requests until the next question."""
    asked = {
        (name(case), container["readinessProbe"]["periodSeconds"])
        for case in CASES
        for each in render(case.parent.parent.name, case_values(case))
        if each["kind"] == "Deployment"
        for container in each["spec"]["template"]["spec"]["containers"]
    }
    assert {name(case) for case in CASES if name(case).startswith("slot-")} == {
        *(each for each, _ in asked),
        "slot-task-api-migration",  # a Job
    }
    assert {1} == {period for _, period in asked}
