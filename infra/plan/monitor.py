"""The engine's side of a Pulumi program, for a program that shall make nothing: it answers and records.

The SDK talks to its engine by a protocol of its own (pulumi/proto/resource.proto), which is no public API: all that we
know of it is in this file and in infra/plan/sdk.py, and tests/infra/test_monitor.py fails loudly where a new SDK speaks
otherwise. The SDK's own mocks show neither parents nor protection, dependencies and secrets, which is why they are not
used.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2, resource_pb2

from infra.errors import ProgramError
from infra.plan import sdk
from infra.plan.graph import HIDDEN, REFERENCE_TYPE, STACK_TYPE, Graph, Json, Resource

# Not among them: output values, so that secrets come marked in the plain properties.
FEATURES: Final = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
)
SIGNATURE: Final = rpc._special_sig_key  # noqa: SLF001 - the SDK has no public name for it
SECRET: Final = rpc._special_secret_sig  # noqa: SLF001 - as above


class Monitor:
    """Answers as if everything were made at once, `${NAME.PROPERTY}` being what each new resource says of itself."""

    def __init__(self, project: str, stack: str, references: Mapping[str, Mapping[str, Json]] | None = None) -> None:
        self._project, self._stack = project, stack
        self._references = references or {}  # the exports of other stacks, by their full names
        self._lock = threading.Lock()  # the SDK calls from many threads
        self._resources: dict[str, Resource] = {}
        self._exports: dict[str, Json] = {}
        self._secret_exports: tuple[str, ...] = ()

    @property
    def graph(self) -> Graph:
        """All that was asked for up to now."""
        resources = tuple(sorted(self._resources.values(), key=lambda each: each.name))
        return Graph(self._project, self._stack, resources, self._exports, self._secret_exports)

    def GetDeploymentInfo(self, request: object) -> resource_pb2.DeploymentInfo:  # noqa: N802 - the protocol's name
        """Say what this engine can do."""
        return resource_pb2.DeploymentInfo(supportedFeatures=FEATURES)

    def RegisterResource(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Record a resource and answer as its provider would. Raises ProgramError for a name that was used before."""
        if request.remote:
            raise ProgramError(f"{request.name}: {request.type} is a remote component; what it makes cannot be planned")
        urn = f"urn:pulumi:{self._stack}::{self._project}::{request.type}::{request.name}"
        inputs, secrets = _opened(json_format.MessageToDict(request.object))
        found = Resource(
            name=request.name,
            type=request.type,
            parent=_name(request.parent),
            provider=_name(request.provider.rpartition("::")[0]),
            protect=request.protect,
            retain=request.retainOnDelete,
            delete_before_replace=request.deleteBeforeReplace,
            depends_on=tuple(sorted(set(map(_name, request.dependencies)))),
            ignores=tuple(sorted(request.ignoreChanges)),
            inputs=inputs,
            secrets=secrets,
        )
        with self._lock:
            if twin := self._resources.get(found.name):
                raise ProgramError(f"{found.name}: names {twin.type} already; give {found.type} a name of its own")
            self._resources[found.name] = found
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        answer = struct_pb2.Struct()
        given = json_format.MessageToDict(request.object)
        json_format.ParseDict(_filled(given, _said(request.type, request.name)), answer)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=f"${{{request.name}.id}}", object=answer)

    def RegisterResourceOutputs(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Record what the stack exports."""
        if f"::{STACK_TYPE}::" in request.urn:
            self._exports, secrets = _opened(json_format.MessageToDict(request.outputs))
            self._secret_exports = secrets
        return empty_pb2.Empty()

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> None:  # noqa: N802 - the protocol's name
        """Refuse: a plan has nobody to ask. Raises ProgramError."""
        raise ProgramError(
            f"the program asks AWS ({request.tok}); state it in the stack file, so that plans need no account"
        )

    def ReadResource(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        """Answer for another stack whose exports are known; refuse everything else, as Invoke. Raises ProgramError."""
        if request.type != REFERENCE_TYPE:
            raise ProgramError(f"the program reads {request.type} {request.id}; state what it needs in the stack file")
        if request.id not in self._references:
            raise ProgramError(f"the program reads the stack {request.id}, which is not planned here")
        with self._lock:
            self._resources[request.name] = Resource(
                name=request.name, type=REFERENCE_TYPE, inputs={"name": request.id}
            )
        said = {"name": request.id, "outputs": self._references[request.id], "secretOutputNames": []}
        answer = json_format.ParseDict(said, struct_pb2.Struct())
        return resource_pb2.ReadResourceResponse(urn=f"urn:pulumi:{request.id}::{request.name}", properties=answer)

    def RegisterResourceHook(self, request: object) -> empty_pb2.Empty:  # noqa: N802 - the protocol's name
        """Accept: hooks do not run in a plan."""
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: object) -> empty_pb2.Empty:  # noqa: N802 - the protocol's name
        """Let the program end."""
        return empty_pb2.Empty()


class Engine:
    """Hears what the SDK says while a program runs; errors come as exceptions too."""

    def __init__(self) -> None:
        self.warnings: list[str] = []  # such as the use of what a provider will take away

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:  # noqa: N802 - the protocol's name
        """Keep what is a warning."""
        if request.severity == engine_pb2.WARNING:
            self.warnings.append(request.message)
        return empty_pb2.Empty()


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _opened(properties: dict[str, Json]) -> tuple[dict[str, Json], tuple[str, ...]]:
    """Properties with HIDDEN for every secret, and the paths of those."""
    secrets: list[str] = []

    def plain(value: Json, path: str) -> Json:
        match value:
            case {**fields} if fields.get(SIGNATURE) == SECRET:
                secrets.append(path)
                return HIDDEN
            case {**fields}:
                return {key: plain(each, f"{path}.{key}") for key, each in fields.items()}
            case [*items]:
                return [plain(each, f"{path}[{at}]") for at, each in enumerate(items)]
            case float() if value.is_integer():  # the protocol has no whole numbers
                return int(value)
        return value

    return {key: plain(value, key) for key, value in properties.items()}, tuple(sorted(secrets))


def _filled(given: dict[str, Json], said: dict[str, Json]) -> dict[str, Json]:
    """What was asked for, with what the resource says of itself where nothing was asked."""
    whole = {**{key: value for key, value in said.items() if value is not None}, **given}
    for key, asked in given.items():
        more = said.get(key)
        if isinstance(asked, dict) and isinstance(more, dict) and SIGNATURE not in asked:
            whole[key] = _filled(asked, more)
    return whole


def _said(token: str, name: str) -> dict[str, Json]:
    """What a new resource says of itself: a reference for every text and number, as far as types tell."""
    return {key: sdk.filled(kind, f"{name}.{key}", _reference) for key, kind in sdk.properties(token).items()}


def _reference(kind: object, path: str) -> Json:
    return f"${{{path}}}" if kind in (str, int) else None
