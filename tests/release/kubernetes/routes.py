"""The routing objects of the chart helm/router, and targets, for the tests of the routers."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from scripts.cluster.state import default_home, kubeconfig
from scripts.release.kubernetes.swap import Form
from scripts.release.route import SLOTS, Audience, Target, Weights
from tests.helm.render import render
from tests.release.kubernetes.apiserver import Server, operate

Object = dict[str, Any]
KEY = "0123456789abcdef"
CLUSTER = kubeconfig(default_home())
KINDS = {"service": "Service", "gateway": "HTTPRoute", "alb": "Ingress"}
ENVOY = "gateway.envoyproxy.io/gatewayclass-controller"


class Shop(NamedTuple):
    """Where the tests' application is."""

    namespace: str = "shop-space"
    app: str = "shop"
    edge: str = ""


def frame(driver: str, **values: Any) -> Object:
    """The routing object as Helm installs it, with what the API server adds."""
    more = {"gateway": {"parents": {"public": {}}}} if driver == "gateway" else {}
    rendered = render("router", {"driver": driver, **more, **values})
    found = next(each for each in rendered if each["kind"] == KINDS[driver] and each["metadata"]["name"] == "shop")
    if driver == "gateway":
        found["spec"]["rules"] = [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]  # by the definition
        found["status"] = {"parents": [{"controllerName": ENVOY, "parentRef": {"name": "public"}}]}
    found["metadata"] |= {"resourceVersion": "1", "namespace": "shop-space", "generation": 1}
    return found


def patched(found: Object, ops: Sequence[Object]) -> Object:
    """An object after a JSON Patch."""
    after: Object = json.loads(json.dumps(found))
    for op in json.loads(json.dumps(ops)):
        operate(after, op)
    return after


def install(server: Server, driver: str, form: Form, **pods: int) -> None:
    """The chart's routing objects, and so many ready pods in each slot."""
    server.answer("POST", form.path.rpartition("/")[0], "", frame(driver))
    if driver == "service":
        found = frame(driver)
        server.answer("POST", form.path.rpartition("/")[0], "", found | {"metadata": {"name": "shop-preview"}})
    for slot, number in {"blue": 2, "green": 2, **pods}.items():
        slices = "/apis/discovery.k8s.io/v1/namespaces/shop-space/endpointslices"
        labels = {"kubernetes.io/service-name": f"shop-{slot}"}
        endpoints = [{"conditions": {"ready": True}}] * number + [{"conditions": {"ready": False}}]
        server.answer("POST", slices, "", {"metadata": {"name": slot, "labels": labels}, "endpoints": endpoints})


NAMES = string.ascii_letters + string.digits + "-_."
headers = st.dictionaries(
    st.text(NAMES, min_size=1, max_size=40),
    st.lists(st.text(NAMES + "!$()=,;:@/|", min_size=1, max_size=20), min_size=1, max_size=4).map(" ".join),
    min_size=1,
    max_size=4,
)
cookies = st.dictionaries(
    st.text(NAMES + "*+$", min_size=1, max_size=20),
    st.text(NAMES + "()[]{}+*?|^=/", min_size=1, max_size=20),
    max_size=4,
)


@st.composite
def targets(draw: st.DrawFn) -> Target:
    """Any target that makes sense."""
    weights = Weights.with_share("blue", draw(st.integers(0, 100)))
    first = draw(st.sampled_from(["", *SLOTS]))
    audience = Audience(draw(headers), draw(cookies)) if first else Audience()
    idle = [slot for slot in SLOTS if not weights.of(slot)]
    mirror = draw(st.sampled_from(["", *idle]))
    return Target(weights, first, audience, mirror, draw(st.sampled_from(["", "slot-7"])))
