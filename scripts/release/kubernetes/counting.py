"""Users' requests by slot, from the source that the router allows."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.release.errors import Undecided
from scripts.release.file import Kubernetes
from scripts.release.kubernetes import metrics
from scripts.release.kubernetes.metrics import Growing, Prometheus
from scripts.release.kubernetes.objects import Objects
from scripts.release.slots import Tally


class Counting:
    """A gateway's own count tells users from previews; a Service counts nothing.

    There the applications' own count is taken, in which previews are users, too. While a gate looks at a slot's users,
    nobody sends it previews.
    """

    def __init__(self, settings: Kubernetes, latency_ms: float, objects: Objects) -> None:
        self._settings, self._latency_ms, self._objects = settings, latency_ms, objects
        self._prometheus = Prometheus(settings.prometheus)
        self._answers, self._reads, self._edge = Growing(), Growing(), Growing()

    def tally(self) -> Mapping[str, Tally]:
        """Users' requests. Raises ReleaseError where nobody can count them."""
        sums = self._seen(self._answers, reads=False)
        if self._settings.router != "gateway":
            return metrics.tallies(sums, self._latency_ms)
        found = self._prometheus.ask(metrics.edge_query(self._settings.namespace, self._settings.app))
        slots = {pod["status"].get("podIP", ""): pod["metadata"]["labels"]["slot"] for pod in self._objects.pods()}
        return metrics.tallies(sums, self._latency_ms, self._edge.add(metrics.read_edge(found, slots)))

    def reads(self) -> Mapping[str, Tally]:
        """Reads, by the applications: a copy is one for them, too."""
        return metrics.tallies(self._seen(self._reads, reads=True), self._latency_ms)

    def arriving(self) -> float:
        """Users' requests a second. Raises Undecided where Prometheus looks too rarely for a gate's figures."""
        namespace, app, edge = self._settings.namespace, self._settings.app, self._settings.router == "gateway"
        scrapes = self._prometheus.ask(metrics.scrapes_query(namespace, app, edge=edge))
        if scrapes and scrapes[0].value < metrics.LEAST:
            raise Undecided(
                f"Prometheus {self._settings.prometheus} looked at {'the gateway' if edge else 'the pods'} "
                f"{scrapes[0].value:.0f} times in the last {metrics.RATE}, and gates need figures that are fresh: have "
                f"it do so every {metrics.EVERY_S} s or more often (scrape_interval, or `interval` of a ServiceMonitor "
                "or PodMonitor)"
            )
        found = self._prometheus.ask(metrics.rate_query(namespace, app, edge=edge))
        return found[0].value if found else 0.0

    def _seen(self, growing: Growing, *, reads: bool) -> Mapping[metrics.Count, float]:
        namespace, app = self._settings.namespace, self._settings.app
        found = self._prometheus.ask(metrics.answers_query(namespace, app, reads=reads))
        return growing.add(metrics.read_answers(found, app))
