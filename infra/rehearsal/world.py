"""The stand-in for AWS: what has been made in it, what it refuses, and a journal of all that it was asked."""

from __future__ import annotations

import threading
from enum import StrEnum
from typing import Final

import msgspec

from infra.errors import InfraError
from infra.plan.graph import Json


class Fault(StrEnum):
    """How the n-th create goes wrong."""

    FAIL = "fail"  # nothing is made
    THROTTLE = "throttle"  # nothing is made, since too much was asked
    TIMEOUT = "timeout"  # it is made, but not ready when the provider's patience ends


WORDS: Final = {
    Fault.FAIL: "AccessDenied: the stand-in was told to refuse create number {number}",
    Fault.THROTTLE: "ThrottlingException: Rate exceeded, and the provider's retries are spent (create number {number})",
    Fault.TIMEOUT: "timeout while waiting for state to become 'available' (create number {number})",
}

# What AWS does not let go while something uses it; most else goes, and leaves its users broken.
HELD: Final = tuple(
    f"aws:{kind}"
    for kind in ("ec2/", "rds/subnetGroup", "rds/parameterGroup", "elasticache/subnetGroup", "elasticache/user")
)


Key = tuple[str, str]


class RefusedError(InfraError):
    """The stand-in's answer is no."""


class NotReadyError(RefusedError):
    """It was made, but whoever waited for it gave up."""

    def __init__(self, words: str, made: Thing) -> None:
        super().__init__(words)
        self.made = made


class Thing(msgspec.Struct, frozen=True):
    """Something that has been made."""

    id: str
    type: str
    name: str  # of the resource in the program
    inputs: dict[str, Json]
    outputs: dict[str, Json]

    @property
    def key(self) -> Key:
        """What no two things share; several types are known by the id of what they belong to."""
        return self.type, self.id


class Call(msgspec.Struct, frozen=True):
    """One request that changed the stand-in, or that it refused."""

    verb: str  # create, update, delete
    type: str
    name: str
    refused: str = ""


class World:
    """All regions of one account. Safe to use from many threads, as the engine does."""

    def __init__(self, fault: Fault | None = None, number: int = 0) -> None:
        self._lock = threading.Lock()
        self.fault = fault
        self._number = number  # of the create that goes wrong, from 1 on
        self._creates = 0
        self.things: dict[Key, Thing] = {}
        self.calls: list[Call] = []
        self.guards = True  # deletion protection holds

    def generation(self, name: str) -> int:
        """How often a thing of that name was asked for: what replaces it needs another id."""
        return sum(call.verb == "create" and call.name == name for call in self.calls)

    def create(self, thing: Thing) -> None:
        """Make it. Raises RefusedError, and NotReadyError where it was made all the same."""
        with self._lock:
            self._creates += 1
            fault = self.fault if self._creates == self._number else None
            words = WORDS[fault].format(number=self._creates) if fault else ""
            self.calls.append(Call("create", thing.type, thing.name, words))
            if fault and fault is not Fault.TIMEOUT:
                raise RefusedError(words)
            if twin := self.things.get(thing.key):
                raise RefusedError(f"AlreadyExists: {thing.id} is {twin.name} already")
            self.things[thing.key] = thing
            if fault:
                raise NotReadyError(words, thing)

    def update(self, thing: Thing) -> None:
        """Give it new inputs. Raises RefusedError if it does not exist."""
        with self._lock:
            self.calls.append(Call("update", thing.type, thing.name))
            if thing.key not in self.things:
                raise RefusedError(f"NotFound: {thing.id}")
            self.things[thing.key] = thing

    def delete(self, key: Key) -> None:
        """Take it away. Raises RefusedError while it is guarded, or while something that exists names it."""
        with self._lock:
            thing = self.things.get(key)
            if thing is None:
                return  # as AWS's provider: gone is gone
            words = self._reason_to_keep(thing)
            self.calls.append(Call("delete", thing.type, thing.name, words))
            if words:
                raise RefusedError(words)
            del self.things[key]

    def close(self) -> None:
        """Let go of what is outside this process: nothing."""

    def _reason_to_keep(self, thing: Thing) -> str:
        if self.guards and thing.inputs.get("deletionProtection") is True:
            return f"InvalidParameterCombination: {thing.id} has deletion protection"
        if not thing.type.startswith(HELD):
            return ""
        own = {thing.id, thing.outputs.get("arn")}
        users = [each.name for each in self.things.values() if each is not thing and own & set(texts(each.inputs))]
        return f"DependencyViolation: {thing.id} is used by {', '.join(sorted(users))}" if users else ""


def texts(value: Json) -> list[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in texts(each)]
