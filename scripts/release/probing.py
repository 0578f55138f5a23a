"""Probes of the users' route: done is what users see, not what was written."""

from __future__ import annotations

from scripts.release.gates.verdict import GateFailed
from scripts.release.route import SLOTS, other
from scripts.release.run import Run
from scripts.release.slots import Request
from scripts.release.step import Step

PROBE_S = 0.002  # between probes: a cut-over takes milliseconds
STREAK = 5  # probes in a row that must agree
LOOK_EVERY = 50  # probes: whether the slot is still there


def probed(run: Run, step: Step) -> tuple[int, float]:
    """Probe until the users' route shows a step's target: how many probes, and when the first one saw it.

    Raises GateFailed where the slot ends meanwhile, or the target is not seen in time.
    """
    target = step.target
    assert target is not None
    probe, wanted = _probe(run, step), {step.slot if target.has_users(step.slot) else other(step.slot)}
    begun, seen, streak, probes = run.platform.now(), 0.0, 0, 0
    found: set[str] = set()
    while streak < STREAK or not wanted <= found:
        answer = run.platform.ask(probe)
        probes += 1
        good = answer.status == probe.expect and answer.slot in SLOTS and target.has_users(answer.slot)
        if good and answer.slot in wanted and not wanted & found:
            seen = run.platform.now()
        found, streak = (found | {answer.slot}, streak + 1) if good else (set(), 0)
        if probes % LOOK_EVERY == 0 and not run.observe().slots[step.slot].running:
            raise GateFailed(f"{step.slot} is not running any more")
        if run.platform.now() - begun > run.file.settings.timeouts.verify:
            raise GateFailed(
                f"probes of the users' route did not see {target} in {run.file.settings.timeouts.verify:g} s "
                f"(timeouts.verify): the last of {probes} was answered with {answer.status} by "
                f"{answer.slot or 'nobody'}"
            )
        run.platform.sleep(PROBE_S)
    return probes, seen or run.platform.now()


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
