"""When each part of a slot's start is over: as the API server tells it to whoever watches, and the kernel."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import urllib3

from scripts.release.kubernetes.connection import connect
from scripts.release.kubernetes.slots import DIGEST, annotation, containers, is_ready

WRITTEN, MADE, PLACED = "its Deployment is written", "its pods are there", "they have a node"
EXECUTED, RUNS, READY = "the application is executed", "the kubelet says that it runs", "it is ready"
SERVED = "its Service has it"
PARTS = (WRITTEN, MADE, PLACED, EXECUTED, RUNS, READY, SERVED)
KINDS = {"deployments": "apis/apps/v1", "pods": "api/v1", "endpointslices": "apis/discovery.k8s.io/v1"}
LIMIT_S = 60.0


class Timeline:
    """The start of the pods whose release has this digest; moments in Unix seconds."""

    def __init__(self, digest: str) -> None:
        self._digest = digest
        self._seen: dict[tuple[str, str], float] = {}  # part and pod to when it was seen first

    def take(self, kind: str, found: Mapping[str, Any]) -> None:
        """An object as it is now."""
        name = str(found["metadata"]["name"])
        if kind == "deployments" and annotation(found["spec"]["template"], DIGEST) == self._digest:
            self._note(WRITTEN, name)
        elif kind == "pods" and annotation(found, DIGEST) == self._digest:
            runs = any("running" in each.get("state", {}) for each in containers(found))
            steps = {MADE: True, PLACED: "nodeName" in found["spec"], RUNS: runs, READY: is_ready(found)}
            for part in (part for part, done in steps.items() if done):
                self._note(part, name)
        elif kind == "endpointslices":
            for each in found.get("endpoints") or ():
                if each["conditions"].get("ready") and (MADE, each["targetRef"]["name"]) in self._seen:
                    self._note(SERVED, each["targetRef"]["name"])

    def since(self, began: float, command: str) -> dict[str, float]:
        """Seconds from `began` until each part was over for the last pod; `command`: a word of their process 1."""
        found = {part: moment - began for (part, _), moment in sorted(self._seen.items(), key=lambda item: item[1])}
        if started := [moment - began for moment in executed(command) if moment > began]:
            found[EXECUTED] = max(started)
        return {part: found[part] for part in PARTS if part in found}

    def _note(self, part: str, name: str) -> None:
        self._seen.setdefault((part, name), time.time())


def executed(word: str) -> Iterator[float]:
    """When each process 1 of a container with this word in its command line began, in Unix seconds, to 10 ms."""
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if any(word in part for part in process.cmdline()) and not _is_child(process, word):
                ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
                yield boot + int(ticks) / os.sysconf("SC_CLK_TCK")


def _is_child(process: psutil.Process, word: str) -> bool:
    parent = process.parent()
    return parent is not None and any(word in part for part in parent.cmdline())


@contextmanager
def watched(kubeconfig: Path, namespace: str, digest: str) -> Iterator[Timeline]:
    """Watch what there is in a namespace from now on."""
    timeline, link, streams = Timeline(digest), connect("", str(kubeconfig)), []
    for kind, group in KINDS.items():
        path = f"{link.host}/{group}/namespaces/{namespace}/{kind}?watch=true&resourceVersion=0"
        answer = link.pool.request("GET", path, preload_content=False, timeout=LIMIT_S)
        streams.append(answer)
        threading.Thread(target=_follow, args=(answer, kind, timeline), daemon=True).start()
    try:
        yield timeline
    finally:
        for answer in streams:
            answer.shutdown()


def _follow(answer: urllib3.BaseHTTPResponse, kind: str, timeline: Timeline) -> None:
    rest = b""
    with suppress(urllib3.exceptions.HTTPError, msgspec.DecodeError):  # cut off in the middle, at the end
        for chunk in answer.stream(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                timeline.take(kind, msgspec.json.decode(line)["object"])
