"""The provider's side of Pulumi's protocol (pulumi/proto/provider.proto), before what a stand-in stands in for.

The engine is told its port by PULUMI_DEBUG_PROVIDERS and never starts a provider of its own. Each provider of a program
has a connection of its own, by which they are told apart.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, NoReturn, Protocol

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from google.protobuf.message import Message
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc, status_pb2
from pulumi.runtime.proto import provider_pb2 as wire
from pulumi.runtime.rpc import UNKNOWN

from infra.plan import sdk
from infra.plan.graph import Json
from infra.rehearsal.world import NotReadyError, RefusedError, Thing, World

WORKERS: Final = 16
LARGEST: Final = 64 << 20  # bytes of a message; the engine's own default is far above gRPC's
Properties = dict[str, Json]
Empty = empty_pb2.Empty


class Context(Protocol):
    """What gRPC, which has no types, hands with a request."""

    def peer(self) -> str:
        """The other end of the connection."""

    def abort(self, code: object, details: str) -> NoReturn:
        """Answer with an error."""

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        """Say more about it."""


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """Answers for every provider of one package; what is particular to it is in what is abstract here."""

    anchors: tuple[str, ...] = ()  # of a provider's own inputs: another value is another place

    def __init__(self, world: World) -> None:
        self._world = world
        self._configs: dict[str, Properties] = {}  # by connection

    @abstractmethod
    def named(self, token: str, name: str, inputs: Properties, before: Properties, seed: str) -> Properties:
        """The inputs, with the names that the provider chooses itself."""

    @abstractmethod
    def faults(self, token: str, inputs: Properties, config: Properties) -> Iterable[tuple[str, str]]:
        """Path and words for each input that is refused."""

    @abstractmethod
    def settled(self, token: str, key: str, changed: tuple[Json, Json], inputs: Properties, config: Properties) -> bool:
        """Whether this change of an input, from and to, makes another resource of it."""

    @abstractmethod
    def thing(self, token: str, name: str, inputs: Properties, config: Properties, made: str = "") -> Thing:
        """What these inputs become; `made` is the id of what is there already."""

    def Handshake(self, request: wire.ProviderHandshakeRequest, context: Context) -> wire.ProviderHandshakeResponse:  # noqa: N802 - the protocol's name
        """Ask for plain values: what is secret is the engine's business."""
        return wire.ProviderHandshakeResponse()

    def Attach(self, request: plugin_pb2.PluginAttach, context: Context) -> Empty:  # noqa: N802
        """Nothing is to be said to the engine."""
        return Empty()

    def GetPluginInfo(self, request: Empty, context: Context) -> plugin_pb2.PluginInfo:  # noqa: N802
        """No version: it stands in for whichever one the SDK wants."""
        return plugin_pb2.PluginInfo()

    def CheckConfig(self, request: wire.CheckRequest, context: Context) -> wire.CheckResponse:  # noqa: N802
        """Any configuration will do."""
        return wire.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: wire.DiffRequest, context: Context) -> wire.DiffResponse:  # noqa: N802
        """Another place is another provider, and replaces all that it has made."""
        changed = _changed(_plain(request.olds), _plain(request.news))
        return _difference(changed, [key for key in changed if key in self.anchors])

    def Configure(self, request: wire.ConfigureRequest, context: Context) -> wire.ConfigureResponse:  # noqa: N802
        """Remember what this connection's provider was told."""
        self._configs[context.peer()] = _plain(request.args)
        return wire.ConfigureResponse(supportsPreview=True)

    def Check(self, request: wire.CheckRequest, context: Context) -> wire.CheckResponse:  # noqa: N802
        """Choose names as the provider would, then judge the inputs."""
        token, name, seed = _token(request.urn), _name(request.urn), request.randomSeed.hex()[:7]
        inputs = self.named(token, name, _plain(request.news), _plain(request.olds), seed)
        failures = [
            wire.CheckFailure(property=path, reason=words)
            for path, words in self.faults(token, inputs, self._configs[context.peer()])
        ]
        return wire.CheckResponse(inputs=_struct(inputs), failures=failures)

    def Diff(self, request: wire.DiffRequest, context: Context) -> wire.DiffResponse:  # noqa: N802
        """What changed, and what of it was settled at creation."""
        before, after = _plain(request.old_inputs), _plain(request.news)
        changed = [key for key in _changed(before, after) if key not in request.ignoreChanges]
        token, config = _token(request.urn), self._configs[context.peer()]
        return _difference(
            changed,
            [key for key in changed if self.settled(token, key, (before.get(key), after.get(key)), after, config)],
        )

    def Create(self, request: wire.CreateRequest, context: Context) -> wire.CreateResponse:  # noqa: N802
        """Make it, or say what it would be."""
        token, inputs = _token(request.urn), _plain(request.properties)
        if request.preview:
            return wire.CreateResponse(properties=_struct(_unknown(token) | inputs))
        thing = self.thing(token, _name(request.urn), inputs, self._configs[context.peer()])
        try:
            self._world.create(thing)
        except NotReadyError as exc:
            _half_made(context, exc)
        except RefusedError as exc:
            context.abort(grpc.StatusCode.UNKNOWN, str(exc))
        return wire.CreateResponse(id=thing.id, properties=_struct(thing.outputs))

    def Read(self, request: wire.ReadRequest, context: Context) -> wire.ReadResponse:  # noqa: N802
        """What is there, or nothing."""
        thing = self._world.things.get((_token(request.urn), request.id))
        if thing is None:
            return wire.ReadResponse()
        return wire.ReadResponse(id=thing.id, properties=_struct(thing.outputs), inputs=_struct(thing.inputs))

    def Update(self, request: wire.UpdateRequest, context: Context) -> wire.UpdateResponse:  # noqa: N802
        """Give it new inputs."""
        config = self._configs[context.peer()]
        thing = self.thing(_token(request.urn), _name(request.urn), _plain(request.news), config, request.id)
        if not request.preview:
            try:
                self._world.update(thing)
            except RefusedError as exc:
                context.abort(grpc.StatusCode.UNKNOWN, str(exc))
        return wire.UpdateResponse(properties=_struct(thing.outputs))

    def Delete(self, request: wire.DeleteRequest, context: Context) -> Empty:  # noqa: N802
        """Take it away."""
        try:
            self._world.delete((_token(request.urn), request.id))
        except RefusedError as exc:
            context.abort(grpc.StatusCode.UNKNOWN, str(exc))
        return Empty()

    def Cancel(self, request: Empty, context: Context) -> Empty:  # noqa: N802
        """Nothing here takes long."""
        return Empty()


@contextmanager
def served(stand_in: StandIn) -> Iterator[int]:
    """A running stand-in; gives its port on this machine."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=WORKERS),
        options=[("grpc.max_receive_message_length", LARGEST), ("grpc.max_send_message_length", LARGEST)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(stand_in, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait(timeout=5)


def _half_made(context: Context, exc: NotReadyError) -> None:
    """Tell the engine that there is something now, though it cannot be used."""
    words = str(exc)
    detail = wire.ErrorResourceInitFailed(
        id=exc.made.id, properties=_struct(exc.made.outputs), inputs=_struct(exc.made.inputs), reasons=[words]
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=words)
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, words)


def _unknown(token: str) -> Properties:
    return dict.fromkeys((key for key in sdk.properties(token) if not key.endswith("Wo")), UNKNOWN)


def _changed(before: Properties, after: Properties) -> list[str]:
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _difference(changed: list[str], replaces: list[str]) -> wire.DiffResponse:
    answer = wire.DiffResponse
    return answer(changes=answer.DIFF_SOME if changed else answer.DIFF_NONE, diffs=changed, replaces=replaces)


def _token(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _plain(message: Message) -> Properties:
    return {key: _whole(each) for key, each in json_format.MessageToDict(message).items()}


def _whole(value: Json) -> Json:
    """The protocol has no whole numbers."""
    match value:
        case {**inner}:
            return {key: _whole(each) for key, each in inner.items()}
        case [*items]:
            return [_whole(each) for each in items]
        case float() if value.is_integer():
            return int(value)
    return value


def _struct(properties: Mapping[str, Json]) -> struct_pb2.Struct:
    return json_format.ParseDict(dict(properties), struct_pb2.Struct())
