"""Deploys: one program after the other, each only when nothing that keeps state would be lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from infra.components.watch import DEPLOYS
from infra.errors import NeedsPersonError
from infra.ops.account import Account
from infra.ops.engine import PLATFORM, Stack
from infra.ops.gates import refusals
from infra.ops.patience import Tell

if TYPE_CHECKING:  # the types are for development only
    from types_boto3_cloudwatch.type_defs import MetricDatumTypeDef

BEAT_S: Final = 60  # the period of the alarm that keeps others quiet


class Deployed(msgspec.Struct, frozen=True):
    """One program: how many resources each operation has, and whether it was done."""

    program: str
    operations: dict[str, int]
    done: bool


def deploy(stack: Stack, allowed: Collection[str], announced: AbstractContextManager[None] | None) -> list[Deployed]:
    """Preview each program and, while `announced`, do it; None only previews.

    Later programs read what earlier ones export, so each is previewed just before it is done. Raises NeedsPersonError
    at the first that would lose state not named in `allowed`: what came before it stays deployed.
    """
    done = []
    for program in stack.programs:
        stack.tell(f"{program.name}: previewing")
        steps = stack.engine.preview(program, stack.name)
        counts = dict(Counter(each.op for each in steps))
        stack.tell(f"{program.name}: {_said(counts)}")
        if stops := [*refusals(steps, allowed)]:
            first = stops[0].partition(":")[0]
            raise NeedsPersonError(f"{'; '.join(stops)}; if it is meant, add --allow {first}")
        if announced is not None and steps:
            with announced if program == PLATFORM else nullcontext():
                stack.engine.up(program, stack.name, stack.tell)
        done.append(Deployed(program.name, counts, announced is not None))
    return done


def _said(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {op}" for op, number in sorted(counts.items())) or "nothing to do"


@contextmanager
def announced(account: Account, environment: str, tell: Tell, every_s: float = BEAT_S) -> Iterator[None]:
    """Tell CloudWatch every minute that a deploy runs: alarms on what is full keep quiet meanwhile.

    A call too many is better than a deploy that stops: where CloudWatch does not listen, `tell` says so once.
    """
    namespace, metric, dimension = DEPLOYS
    data: MetricDatumTypeDef = {
        "MetricName": metric,
        "Value": 1,
        "Dimensions": [{"Name": dimension, "Value": environment}],
    }
    over = threading.Event()

    def beat() -> None:
        warned = False
        while True:
            try:
                account.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[data])
            except (BotoCoreError, ClientError) as exc:
                if not warned:
                    tell(f"the alarms do not know of this deploy and may call somebody: {exc}")
                warned = True
            if over.wait(every_s):
                return

    beating = threading.Thread(target=beat, name="deploy-announced", daemon=True)
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join(timeout=30)
