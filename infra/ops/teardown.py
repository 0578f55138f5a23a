"""The end of an environment, from what is in the cluster down to the network, with a report of what is left.

Pulumi alone hangs on what controllers made in the meantime: load balancers, nodes and interfaces hold subnets and
security groups. So they go first, by those who made them. Then goes what fills buckets, repositories and vaults, of
which AWS deletes none that anything is in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import NeedsPersonError, OpsError
from infra.ops import contents, leftover, protection
from infra.ops.account import Account
from infra.ops.drift import Tagged
from infra.ops.engine import Owned, Program, Stack
from infra.ops.kubectl import Workloads
from infra.ops.patience import Patience

SHOWN: Final = 8  # names in a line


class Stage(NamedTuple):
    """One stage: `left` says what is still there, `act` asks for its end."""

    name: str
    left: Callable[[], Sequence[str]]
    act: Callable[[], None]


class Torn(msgspec.Struct, frozen=True):
    """`found`: stage → what was there; `leftovers`: ARNs with our tags that are there after all; None when dry.

    `stopped` is why the end was not reached; then what is left is everything from there on.
    """

    found: dict[str, list[str]]
    protected: list[str]
    leftovers: list[str] | None = None
    stopped: str = ""


class Teardown:
    """`workloads` is None where the cluster is gone already."""

    def __init__(
        self, stack: Stack, account: Account, workloads: Workloads | None, tagged: Callable[[], Sequence[Tagged]]
    ) -> None:
        self.stack, self.account, self.workloads, self.tagged = stack, account, workloads, tagged
        self.owned = self._state()

    def look(self) -> Torn:
        """What each stage would end; nothing is changed."""
        return Torn({each.name: [*each.left()] for each in self._stages()}, self._protected())

    def run(self, confirmed: str, patience: Patience) -> Torn:
        """Stage by stage. Raises NeedsPersonError where data is protected and `confirmed` is not the stack's name."""
        if self._protected() and confirmed != self.stack.name:
            raise NeedsPersonError(
                f"{len(self._protected())} resources are protected ({_some(self._protected())}); if all data of "
                f"{self.stack.name} shall be lost, add --confirm {self.stack.name}"
            )
        found: dict[str, list[str]] = {}
        stopped = ""
        try:
            for stage in self._stages():
                found[stage.name] = self._clear(stage, patience)
            self._lift(patience)
            for program in reversed(self.stack.programs):
                self._destroy(program, patience)
        except (OpsError, BotoCoreError, ClientError) as exc:
            stopped = str(exc)
        return Torn(found, self._protected(), sorted(each.arn for each in self.tagged()), stopped)

    def _clear(self, stage: Stage, patience: Patience) -> list[str]:
        """End what a stage is about, and wait for it; what it was."""
        found = [*stage.left()]
        self.stack.tell(f"{stage.name}: {_some(found)}")
        if found:
            stage.act()
            patience.until(lambda: _some(stage.left(), ""), self.stack.tell)
        return found

    def _destroy(self, program: Program, patience: Patience) -> None:
        """Logs are written until what writes them is gone: a bucket that filled again is emptied once more."""
        self.stack.tell(f"{program.name}: destroying")
        try:
            self.stack.engine.destroy(program, self.stack.name, self.stack.tell)
        except OpsError:
            if not self._clear(self._contents(), patience):
                raise
            self.stack.tell(f"{program.name}: destroying what is left")
            self.stack.engine.destroy(program, self.stack.name, self.stack.tell)

    def _stages(self) -> list[Stage]:
        stages = []
        if self.workloads:
            stages += [
                Stage("fronts", self.workloads.fronts, self.workloads.delete_fronts),
                Stage("disruption budgets", self.workloads.budgets, self.workloads.delete_budgets),
                Stage("node pools", self.workloads.pools, self.workloads.delete_pools),
                # Now that no pod has them; one that waits for a node may claim another, and gets no disk without.
                Stage("disks", self.workloads.disks, self.workloads.delete_disks),
            ]
        stages += [
            Stage("load balancers", lambda name=each.id: leftover.balancers(self.account, name), _wait)  # type: ignore[misc]
            for each in self._of("eks/cluster")
        ]
        for each in self._of("ec2/vpc"):
            stages.append(
                Stage(
                    "interfaces",
                    lambda vpc=each.id: leftover.interfaces(self.account, vpc),  # type: ignore[misc]
                    lambda vpc=each.id: leftover.delete_interfaces(self.account, vpc),  # type: ignore[misc]
                )
            )
        return [*stages, self._contents()]

    def _contents(self) -> Stage:
        return Stage(
            "contents",
            lambda: contents.full(self.account, self._state()),
            lambda: contents.empty(self.account, self._state()),
        )

    def _state(self) -> list[Owned]:
        stack = self.stack
        return [each for program in stack.programs for each in stack.engine.owned(program, stack.name)]

    def _protected(self) -> list[str]:
        return [each.name for each in self.owned if each.protect]

    def _lift(self, patience: Patience) -> None:
        """AWS's own protection and Pulumi's, which a person has just asked for."""
        for each in self.owned:
            protection.lift(self.account, each, patience, self.stack.tell)
        for program in self.stack.programs:
            if any(each.protect for each in self.stack.engine.owned(program, self.stack.name)):
                self.stack.engine.unprotect(program, self.stack.name)

    def _of(self, kind: str) -> list[Owned]:
        return [each for each in self.owned if f":{kind}:" in each.type]


def _wait() -> None:
    """Who made them takes them away."""


def _some(names: Sequence[str], none: str = "none") -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else none
