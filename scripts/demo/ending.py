"""How the demo ends: the verdict in words, an exit code, and what was left behind."""

from __future__ import annotations

import click
import msgspec

from scripts.console import say
from scripts.demo.late import Hurt
from scripts.demo.run import Demo, Options
from scripts.exits import Exit
from slo.objective import Outcome

VERDICTS = {
    Outcome.PASS: Exit.DONE,
    Outcome.FAIL: Exit.SLO_MISSED,
    Outcome.INCONCLUSIVE: Exit.INCONCLUSIVE,
    Outcome.ERROR: Exit.ERROR,
}


def code(demo: Demo) -> Exit:
    """What the demo proved, worst first: a broken story, lost requests, an unbelievable run, missed targets.

    A release that broke with all users on it missed the error target on purpose: the verdict is shown and not asked.
    """
    if not demo.as_told or demo.lost:
        return Exit.ERROR
    if not demo.result.valid:
        return Exit.RUN_INVALID
    if demo.hurt or not demo.proves:
        return Exit.DONE
    return VERDICTS[demo.result.outcome]


def tell(demo: Demo, options: Options, *, as_json: bool) -> Exit:
    """Print how it went and return the exit code."""
    ended = code(demo)
    if as_json:
        click.echo(msgspec.json.encode(_summary(demo, ended)))
        return ended
    say("")
    for act in demo.played:
        say(f"  {_mark(act.as_told)} {act.title}{'' if act.as_told else ': ' + act.words}")
    if demo.hurt:
        _tell_hurt(demo.hurt)
    elif not options.late_fault:
        say(f"  {_mark(demo.reached_bad == 0)} the bad release answered {demo.reached_bad} users' requests")
    others = demo.result.requests - (demo.hurt.failed if demo.hurt else 0)
    say(f"  {_mark(demo.lost == 0)} {demo.lost} of {'the other ' if demo.hurt else ''}{others:,} requests were lost")
    say(f"\n{demo.result.headline}")
    if demo.hurt:
        say("The release broke on purpose, so this verdict does not decide the exit code.")
    elif not demo.proves:
        say("This profile shows that everything works; `--profile load` proves the targets.")
    say(f"\nReport: {demo.report}")
    if options.keep:
        say("\n".join(demo.parting))
    return ended


def _tell_hurt(hurt: Hurt) -> None:
    by = f"all answered by the bad release on {hurt.slot}, between its fault and the return of the users"
    say(f"  {_mark(hurt.failed > 0)} {hurt.failed:,} requests failed, {by}")
    say(f"  {_mark(True)} {hurt.seconds:.1f} s from the fault to the last of them, without a person")


def _mark(good: bool) -> str:
    return "✔" if good else "✘"


def _summary(demo: Demo, ended: Exit) -> dict[str, object]:
    return {
        "exit_code": int(ended),
        "headline": demo.result.headline,
        "outcome": demo.result.outcome,
        "valid": demo.result.valid,
        "proves": demo.proves,
        "acts": [{"title": a.title, "as_told": a.as_told, "words": a.words} for a in demo.played],
        "lost": demo.lost,
        "reached_bad": demo.reached_bad,
        "hurt": demo.hurt,
        "report": str(demo.report),
    }
