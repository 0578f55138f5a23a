"""What ELB says of a load balancer beside what a route wants of it; pure but for the questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from scripts.release.kubernetes.elb import Elb, Headers, Rule
from scripts.release.kubernetes.ingress import Asked
from scripts.release.route import SLOTS, Target, Weights

COMING = (
    "initial",
    "draining",
    "not registered",
)  # states that end by themselves; a target's address may be used again


class Group(msgspec.Struct, frozen=True):
    """A target group, as a TargetGroupBinding of the controller's has it."""

    arn: str
    slot: str
    by_address: bool = True  # its targets are pods; else they are nodes


def unmet(elb: Elb, host: str, groups: Sequence[Group], target: Target, asked: Asked) -> str:
    """What is not in force of a target, in words; "" once ELB says that all is and its pods are healthy."""
    if not host:
        return "the Ingress has no load balancer yet: its events say why"
    if missing := [slot for slot in SLOTS if slot not in {each.slot for each in groups}]:
        return f"{' and '.join(missing)} has no target group yet: the events of the Ingress say why"
    slots = {each.arn: each.slot for each in groups}
    ours = [rule for rule in elb.rules(host) if rule.weights.keys() <= slots.keys()]
    sticky = bool(target.sticky)
    return (
        _unlike(_asking(ours, asked.users), slots, target.weights, "of the users", sticky=sticky)
        or _unlike(_asking(ours, {}), slots, target.weights, "of the health check", sticky=sticky)
        or _unlike(_asking(ours, asked.audience), slots, _audience(target), "of the audience")
        or _unwell(elb, ours, slots, target)
    )


def unregistered(elb: Elb, groups: Sequence[Group], ready: Mapping[str, Sequence[str]]) -> str:
    """What keeps the load balancer from sending to pods that are ready, in words. `ready`: their addresses by slot.

    Pods that it finds unhealthy are not waited for where others are healthy: it sends them nothing.
    """
    for slot, addresses in ready.items():
        group = next((each for each in groups if each.slot == slot), None)
        if group is None:
            return f"{slot} has no target group yet: the events of the Ingress say why"
        states = elb.health(group.arn)
        seen = [states.get(each, "not registered") for each in addresses] if group.by_address else [*states.values()]
        if addresses and ("healthy" not in seen or set(COMING) & set(seen)):
            return f"the load balancer finds the pods of {slot} {_words(seen)}"
    return ""


def _audience(target: Target) -> Weights:
    return Weights.with_share(target.first, 100) if target.first else target.weights


def _asking(rules: Sequence[Rule], headers: Headers) -> list[Rule]:
    """The rules that ask for exactly these headers; for none the users' own, or that of the health check beside it."""
    return [rule for rule in rules if rule.headers == headers]


def _unlike(
    rules: Sequence[Rule], slots: Mapping[str, str], weights: Weights, whose: str, *, sticky: bool = False
) -> str:
    """How a rule of the load balancer differs from what is wanted."""
    if not rules:
        return f"the load balancer has no rule {whose} as written yet"
    for rule in rules:
        found = {slots[arn]: weight for arn, weight in rule.weights.items()}
        if found != {slot: weights.of(slot) for slot in SLOTS} or rule.sticky != sticky:
            return f"the load balancer's rule {whose} still says {found}{' with cookies' if rule.sticky else ''}"
    return ""


def _unwell(elb: Elb, rules: Sequence[Rule], slots: Mapping[str, str], target: Target) -> str:
    """What keeps the targets of a slot that has users from their requests."""
    for arn in sorted({arn for rule in rules for arn in rule.weights}):
        states = [*elb.health(arn).values()] if target.has_users(slots[arn]) else ["healthy"]
        if "healthy" not in states or "initial" in states:
            return f"the targets of {slots[arn]} are {_words(states)}"
    return ""


def _words(states: Sequence[str]) -> str:
    return ", ".join(f"{number} {state}" for state, number in Counter(states).items()) or "not registered"
