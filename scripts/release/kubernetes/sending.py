"""Requests of our own: probes through the users' route or to one slot, and analysis load to both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import urllib3

from scripts.release.analysis import measure
from scripts.release.errors import ReleaseError
from scripts.release.file import Kubernetes
from scripts.release.gates.aside import aside
from scripts.release.kubernetes.router import Router
from scripts.release.route import SLOTS
from scripts.release.slots import Answer, Load, Request, Sample
from slo.compare import Counts

ASK_S: Final = 5.0

Way = tuple[str, Mapping[str, str]]  # address and headers


class Sender:
    """Sends on a connection of its own each time: a kept one would stay with the slot it began with."""

    def __init__(self, router: Router, settings: Kubernetes, home: Path) -> None:
        """`home`: where analysis load leaves its recording, and finds the journeys' tokens.json."""
        self._router, self._settings, self._home = router, settings, home
        self._ways: dict[str, Way] = {}

    def ask(self, request: Request, slot: str = "") -> Answer:
        try:
            address, leading = self._way(slot)
        except ReleaseError as exc:
            return Answer(0, "", str(exc))
        headers = {**request.headers, **leading}
        try:
            with urllib3.PoolManager(retries=False) as pool:
                found = pool.request(
                    request.method,
                    address + request.path,
                    body=request.body or None,
                    headers=headers,
                    timeout=ASK_S,
                    redirect=False,
                )
        except urllib3.exceptions.HTTPError as exc:
            self.forget(slot)
            return Answer(0, "", str(exc))
        kind = found.headers.get("content-type", "")
        return Answer(found.status, self._slot(found.headers, slot), found.data.decode(errors="replace"), kind)

    def forget(self, slot: str) -> None:
        """Look up anew where a slot, or "" for the users, is reached."""
        self._ways.pop(slot, None)

    def analyse(self, load: Load) -> Sample:
        """Half of the load to each slot. Raises ReleaseError."""
        ways = {slot: self._router.preview(slot) for slot in SLOTS}
        addresses = {address for address, _ in ways.values()}
        if len(addresses) == 1:
            return measure(
                load, addresses.pop(), {slot: dict(headers) for slot, (_, headers) in ways.items()}, self._home
            )
        half = msgspec.structs.replace(load, rate=load.rate / 2)
        runs = [aside(lambda slot=slot: self._alone(half, slot, ways[slot])) for slot in SLOTS]  # type: ignore[misc]
        merged: dict[str, dict[str, Counts]] = defaultdict(dict)
        for run in runs:
            for route, counts in run.result().items():
                merged[route].update(counts)
        return merged

    def _alone(self, load: Load, slot: str, way: Way) -> Sample:
        """The load of one slot; a recording has room for one run."""
        address, headers = way
        return measure(load, address, {slot: dict(headers)}, self._home, folder=f"analysis-{slot}")

    def _way(self, slot: str) -> Way:
        if slot not in self._ways:
            self._ways[slot] = self._router.preview(slot) if slot else (self._router.edge(), {})
        return self._ways[slot]

    def _slot(self, headers: Mapping[str, str], asked: str) -> str:
        """Who answered: by the answer itself, or where it never says so by who can have answered."""
        if self._settings.slot_header:
            return headers.get(self._settings.slot_header, "")
        return asked or self._router.read().target.sole or ""
