"""What is wrong that only the cluster shows, and the command that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from scripts.release.errors import NeedsPerson, ReleaseError
from scripts.release.file import Kubernetes
from scripts.release.journal import Holder
from scripts.release.kubernetes import configs, floor, helm, slots
from scripts.release.kubernetes.client import Api, Object
from scripts.release.kubernetes.helm import Helm
from scripts.release.kubernetes.httproute import Form
from scripts.release.kubernetes.objects import Objects
from scripts.release.kubernetes.rights import ALLOW, Right, gateways, rights, wanted
from scripts.release.kubernetes.router import Router
from scripts.release.kubernetes.slots import Parts, annotation
from scripts.release.kubernetes.values import autoscaler, values_of
from scripts.release.route import SLOTS
from scripts.release.slots import Finding

REAP = "primetrade release reap"


class Place(NamedTuple):
    """What the findings are made of."""

    api: Api
    settings: Kubernetes
    objects: Objects
    router: Router
    helm: Helm
    holder: Callable[[], Holder | None]  # whose run is at work
    directory: Path  # of the release file, which the values are relative to


def findings(place: Place) -> list[Finding]:
    """Everything that is found, rights that lack first: without them little else is; nothing is changed."""
    found = [*_rights(place)]
    for check in (_route, _balancers, _slots):
        try:
            found += check(place)
        except ReleaseError as exc:
            found.append(Finding(str(exc), f"kubectl -n {place.settings.namespace} get all"))
    return found


def _rights(place: Place) -> Iterator[Finding]:
    app, space = place.settings.app, place.settings.namespace
    lacking = [
        (right, verb) for right in _needed(place) for verb in right.verbs if not _may(place.api, space, right, verb)
    ]
    if lacking:
        words = dict.fromkeys(f"{verb} {right.what}" for right, verb in lacking)
        allow = dict.fromkeys(f"allow.{ALLOW[right.group]}" for right, _ in lacking if right.group in ALLOW)
        sets = " ".join(f"--set deployer.{each}=true" for each in ("enabled", *allow))
        yield Finding(
            f"this account may not {', '.join(words)} in the namespace {space}",
            f"helm upgrade -n {space} {app} helm/router --reuse-values --force-conflicts {sets}",
        )


def _needed(place: Place) -> list[Right]:
    """By the router, by the values of the next release, and by those of what runs, which it may have to bring back."""
    wants: set[str] = set()
    with suppress(ReleaseError):
        wants |= wanted(values_of(place.settings, place.directory))
    with suppress(ReleaseError):  # what cannot be read is found beside this
        wants |= {
            name for parts in place.objects.both().values() if parts.release for name in wanted(parts.release.values)
        }
    found: set[str] = set()
    if place.router.name == "gateway" and not place.settings.edge:
        with suppress(ReleaseError):
            found = gateways(
                place.api.get(Form(place.settings.namespace, place.settings.app).path), place.settings.namespace
            )
    return rights(place.settings.app, place.router.name, wants, found)


def _may(api: Api, namespace: str, right: Right, verb: str) -> bool:
    kind, _, part = right.resource.partition("/")
    attributes = {"namespace": namespace, "verb": verb, "group": right.group, "resource": kind}
    attributes |= {name: text for name, text in (("subresource", part), ("name", right.name)) if text}
    body = {"metadata": {"name": ""}, "spec": {"resourceAttributes": attributes}}
    answer = api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


def _route(place: Place) -> Iterator[Finding]:
    """A route that its owner has not carried out, or that says nothing we know."""
    try:
        target = place.router.read().target
    except NeedsPerson as exc:
        yield Finding(str(exc), "primetrade release abort")
        return
    if missing := place.router.missing(target):
        yield Finding(f"the route is not in force: {missing}", f"kubectl -n {place.settings.namespace} get events")


def _balancers(place: Place) -> Iterator[Finding]:
    """A TargetGroupBinding on the pods of a Service whose selector moves."""
    if place.router.name != "service":
        return
    space, app = place.settings.namespace, place.settings.app
    for each in bindings(place.api.get(f"/apis/elbv2.k8s.aws/v1beta1/namespaces/{space}/targetgroupbindings"), app):
        yield Finding(
            f"TargetGroupBinding {each} sends to the pods of Service {app}: a switch takes the old ones off before it "
            "has the new ones",
            "primetrade release plan VERSION --set kubernetes.router=alb",
        )


def bindings(found: Object | None, service: str) -> list[str]:
    """The names of those that are bound to a Service."""
    return [
        each["metadata"]["name"]
        for each in (found or {}).get("items") or ()
        if each["spec"]["serviceRef"]["name"] == service
    ]


def _slots(place: Place) -> Iterator[Finding]:
    holder, both = place.holder(), place.objects.both()
    for slot in SLOTS:
        yield from _pods(both[slot])
        if holder is None:  # otherwise it is how the run wants it
            yield from _helm(place, slot)
            yield from _floor(place, both[slot])
            yield from _configs(place, both[slot])


def _helm(place: Place, slot: str) -> Iterator[Finding]:
    name = f"{place.settings.app}-{slot}"
    for secret in place.helm.pending(name):
        status = secret["metadata"]["labels"]["status"]
        busy = helm.at_work(secret, place.api.now())
        what = f"Helm release {name} is {status}" + (f": {busy}" if busy else " and nobody is at work on it")
        yield Finding(what, "primetrade release deploy VERSION")


def _pods(parts: Parts) -> Iterator[Finding]:
    """A slot that somebody changed behind the engine's back, and pods that cannot run."""
    if parts.deployment is None:
        return
    if annotation(parts.deployment, slots.RELEASE) and parts.release is None:
        image = parts.deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        yield Finding(f"{parts.name} runs {image}, which no release put there", "primetrade release deploy VERSION")
    if words := slots.trouble(parts):
        yield Finding(f"{parts.name}: {words}", "primetrade release status")


def _floor(place: Place, parts: Parts) -> Iterator[Finding]:
    """Lifted and left behind: on the slot that has all users and no run is at work, and only there."""
    slot, target = parts.name, place.router.read().target
    if parts.deployment is None or target.sole != slot:
        return
    driver = autoscaler(parts.release.values) if parts.release else "hpa"
    name = f"{place.settings.app}-{slot}"
    found = floor.Floor(place.api, place.settings.namespace, name, driver).found
    if own := annotation(found, floor.OWN):
        least = (found or {})["spec"][floor.KINDS[driver].least]
        yield Finding(f"the autoscaler of {slot} may not go under {least} pods, its values say {own}", REAP)


def _configs(place: Place, parts: Parts) -> Iterator[Finding]:
    """Left over where nothing runs, or gone where something does: they cannot be edited, only deleted."""
    slot, space = parts.name, place.settings.namespace
    if parts.deployment is None:
        if left := configs.left_over(place.api, space, f"{place.settings.app}-{slot}"):
            yield Finding(
                f"{slot} runs nothing and its ConfigMaps are left over: {', '.join(left)}",
                f"kubectl -n {space} delete configmap {' '.join(left)}",
            )
        return
    for each in configs.named([parts.deployment]):
        if place.api.get(f"/api/v1/namespaces/{space}/configmaps/{each}") is None:
            yield Finding(
                f"{slot} takes its environment from ConfigMap {each}, which is gone: its pods go on, and one that is "
                "started anew does not",
                "primetrade release deploy VERSION",
            )
