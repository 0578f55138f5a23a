"""Why a plan cannot be carried out on this cluster; asked before it begins."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scripts.release.file import Kubernetes, Settings, Word
from scripts.release.kubernetes.router import Router
from scripts.release.stages import AUDIENCE, SHADOW
from scripts.release.step import Step


def refusal(steps: Sequence[Step], settings: Settings, cluster: Kubernetes, router: Router) -> str:
    """What the router lacks for these steps, and what their probes could not see; "" when nothing."""
    words = moves(steps)
    if not words:
        return ""
    told = list(router.refusals(asked(settings, steps, words)))
    if not cluster.slot_header and words != (100,):
        told.append(
            "kubernetes.slot_header is empty: answers do not say which slot they are from, so that probes cannot see "
            "users divided. Take steps [100], or have the application say it"
        )
    return "; ".join(told)


def moves(steps: Sequence[Step]) -> tuple[Word, ...]:
    """The stages that a plan leads through, as release.yaml writes them."""
    named: list[Word] = []
    shares: set[int] = set()
    for step in steps:
        if step.target is None:
            continue
        share = step.target.weights.of(step.slot)
        if step.target.mirror:
            named.append(SHADOW)
        elif share:
            shares.add(share)
        elif step.target.first:
            named.append(AUDIENCE)
    if not (named or shares):
        return ()
    ordered: list[Word] = [word for word in (SHADOW, AUDIENCE) if word in named]
    return (*ordered, *sorted(shares | {100}))


def asked(settings: Settings, steps: Sequence[Step], words: tuple[Word, ...]) -> Settings:
    """The settings as if the file asked for no more than the plan does."""
    targets = [step.target for step in steps if step.target]
    return msgspec.structs.replace(
        settings,
        steps=words,
        approvals=None,
        sticky=any(target.sticky for target in targets),
        audience=settings.audience if any(target.first for target in targets) or AUDIENCE in words else None,
    )
