"""The command gate: a program of the user's judges, before users come or after all of them did."""

from __future__ import annotations

from scripts.release.external import judge_command
from scripts.release.gates.aside import aside, ended
from scripts.release.gates.health import Health
from scripts.release.judge import Verdict
from scripts.release.route import other
from scripts.release.run import Run
from scripts.release.step import Step

LOOK_S = 1.0


def command(run: Run, step: Step) -> Verdict:
    """Its exit code is the verdict, unless the slot dies before. Then it is left behind, and ended with this run."""
    setting = next(each for each in run.file.settings.gates.commands if each.name == step.name)
    env, directory = environment(run, step), run.file.path.absolute().parent
    call, health = aside(lambda: judge_command(setting.run, env, setting.limit, directory)), Health(run, step.slot)
    while not ended(call, LOOK_S):
        if refused := health.look():
            return refused
    found = call.result()
    return Verdict(found.outcome, found.words)


def environment(run: Run, step: Step) -> dict[str, str]:
    """What a command is told, beside this process's own environment.

    PREVIEW_HEADERS leads a request at PREVIEW_URL to the slot, whoever has the users: `curl -H @-` takes them, a line
    each.
    """
    slots, old = run.observe().slots, other(step.slot)
    address, headers = run.platform.preview(step.slot)
    return {
        "SLOT": step.slot,
        "OLD_SLOT": old,
        "VERSION": slots[step.slot].version,
        "OLD_VERSION": slots[old].version,
        "EDGE_URL": run.platform.edge(),
        "PREVIEW_URL": address,
        "PREVIEW_HEADERS": "\n".join(f"{name}: {value}" for name, value in headers.items()),
        "RELEASE_RUN": run.id,
    }
