"""Probes of the users' route: done is what users see, not what was written."""

from __future__ import annotations

from scripts.release.gates.verdict import GateFailed
from scripts.release.memory import BACK
from scripts.release.route import SLOTS, other
from scripts.release.run import Run
from scripts.release.slots import Answer, Request
from scripts.release.step import Step

PROBE_S = 0.002  # between probes: a cut-over takes milliseconds
STREAK = 5  # probes in a row that must agree
SMALL = 5  # percent; smaller shares are given more time
LOOK_EVERY = 50  # probes: whether the slot is still there


def probed(run: Run, step: Step) -> tuple[int, float]:
    """Probe until the users' route shows a step's target: how many probes, and when the first one saw it.

    Raises GateFailed where the slot ends meanwhile, or the target is not seen in time.
    """
    target = step.target
    assert target is not None
    probe, wanted = _probe(run, step), step.slot if target.has_users(step.slot) else other(step.slot)
    begun, seen, streak, probes, bad = run.platform.now(), 0.0, 0, 0, 0
    limit, key = _limit(run, target.weights.of(wanted))
    while streak < STREAK or not seen:
        answer = run.platform.ask(probe)
        probes += 1
        good = _shows(run, step, answer, answer.status == probe.expect)
        if good and answer.slot == wanted and not seen:
            seen = run.platform.now()
        elif answer.slot in SLOTS and not target.has_users(answer.slot):  # it came by the old route
            seen = 0.0
        streak = streak + 1 if good else 0
        bad += answer.slot == step.slot and not good
        if bad == STREAK:  # it has been drawn: there is nothing more to wait for
            limit, key = _limit(run, 0)
        if probes % LOOK_EVERY == 0 and not run.observe().slots[step.slot].running:
            raise GateFailed(f"{step.slot} is not running any more")
        if run.platform.now() - begun > limit:
            raise GateFailed(
                f"probes of the users' route did not see {target} in {limit:g} s ({key}): "
                f"the last of {probes} was answered with {answer.status} by {answer.slot or 'nobody'}"
            )
        run.platform.sleep(PROBE_S)
    return probes, seen


def _shows(run: Run, step: Step, answer: Answer, expected: bool) -> bool:
    """Whether an answer came the way that a step's target leads.

    How the other slot answers does not say where the route leads; on the way back neither does how this one answers.
    """
    target = step.target
    if target is None or answer.slot not in SLOTS or not target.has_users(answer.slot):
        return False
    return expected or (_named(run) and (answer.slot != step.slot or run.verb in BACK))


def _named(run: Run) -> bool:
    """Whether answers name the slot that they are from; otherwise it is only taken to be the one in the route."""
    settings = run.file.settings
    return settings.platform != "kubernetes" or bool(settings.cluster.slot_header)


def _limit(run: Run, share: int) -> tuple[float, str]:
    """For how long is probed, and the key that says so: a small share of the probes takes longer to be drawn."""
    limit = float(run.file.settings.timeouts.verify)
    if not 0 < share < SMALL:
        return limit, "timeouts.verify"
    times = SMALL / share
    return limit * times, f"{times:g} times timeouts.verify, for {share} % of the probes"


def _probe(run: Run, step: Step) -> Request:
    """As one of the audience where only that has come, otherwise as anybody."""
    path = run.file.settings.artefact.probes.traffic
    target = step.target
    assert target is not None
    if target.first != step.slot or target.weights.of(step.slot):
        return Request(path=path)
    if target.audience.headers:
        return Request(path=path, headers=dict([next(iter(target.audience.headers.items()))]))
    name, value = next(iter(target.audience.cookies.items()))
    return Request(path=path, headers={"cookie": f"{name}={value}"})
