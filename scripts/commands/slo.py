"""`primetrade slo`: the targets, and what a set of counts says of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click
import msgspec

from scripts.commands.options import json_option
from scripts.console import out, say
from scripts.exits import Exit, exits
from slo.objective import SHARES, Judge, Judgement, Kind, Objective, Outcome, Targets
from slo.reader import SloFileError, read_targets

CHECK_SCHEMA: Final = "primetrade.slo-check/1"
CODES: Final = {
    Outcome.PASS: Exit.DONE,
    Outcome.FAIL: Exit.SLO_MISSED,
    Outcome.INCONCLUSIVE: Exit.INCONCLUSIVE,
    Outcome.ERROR: Exit.ERROR,
}

file_option = click.option(
    "--file", "path", type=click.Path(path_type=Path), default=Path("slo.yaml"), show_default=True, help="The targets."
)


@click.group()
def command() -> None:
    """Targets: show them, check counts against them.

    Example: primetrade slo show
    """


@command.command()
@file_option
@json_option
@exits({SloFileError: Exit.USAGE})
def show(path: Path, as_json: bool) -> None:
    """Show every target and who judges it.

    Example: primetrade slo show --file slo.yaml
    """
    targets = read_targets(path)
    if as_json:
        _print_json(targets)
        return
    from rich.table import Table  # noqa: PLC0415 - only people pay for tables

    table = Table("objective", "says", "judged by", title=f"Targets of {targets.service}", title_justify="left")
    for objective in targets.objectives:
        table.add_row(objective.name, objective.says, objective.judged_by)
    for route in targets.routes:
        table.add_row(route.objective().name, route.objective().says, route.objective().judged_by)
    out.print(table, markup=False)
    say(f"Never counted: {', '.join(targets.excluded_routes) or 'nothing'}.")
    say(f"No share passes on fewer than {targets.traffic_floor:,} requests.")


@command.command()
@click.option("--requests", type=click.IntRange(min=0), required=True, help="All requests, failed ones included.")
@click.option("--failed", type=click.IntRange(min=0), required=True, help="Requests that failed.")
@click.option("--slow-over", "slow_over", multiple=True, metavar="MS=N", help="N of the others took longer than MS.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="How long it took: judges throughput.")
@file_option
@json_option
@exits({SloFileError: Exit.USAGE})
def check(  # noqa: PLR0913 - one argument per flag
    *, requests: int, failed: int, slow_over: tuple[str, ...], seconds: float | None, path: Path, as_json: bool
) -> None:
    """Judge a set of counts: exit code 0 passed, 3 missed, 10 inconclusive.

    Example: primetrade slo check --requests 60000 --failed 12 --seconds 60
    """
    from slo.verdict import overall  # noqa: PLC0415 - scipy takes a third of a second

    targets = read_targets(path)
    if failed > requests:
        raise click.BadParameter(f"{failed} of {requests} requests; give at most all of them", param_hint="--failed")
    counts = _Counts(requests - failed, failed, _slow(slow_over, targets, requests - failed), seconds)
    found = [(objective, _judge(objective, counts, targets.traffic_floor)) for objective in targets.objectives]
    judged = [judgement for _, judgement in found if judgement is not None]
    others = [_not_judged(objective, counts) for objective, judgement in found if judgement is None]
    outcome = overall(judged)
    if as_json:
        _print_json(_Check(CHECK_SCHEMA, outcome, tuple(judged), tuple(others)))
    else:
        for judgement in (*judged, *others):
            say(f"{judgement.says}: {judgement.words}")
        say(f"Verdict: {outcome}")
    click.get_current_context().exit(CODES[outcome])


class _Counts(msgspec.Struct, frozen=True):
    """What the command line gave."""

    ok: int
    failed: int
    slow: dict[float, int]  # milliseconds → ok answers slower than that
    seconds: float | None


class _Check(msgspec.Struct, frozen=True):
    """The JSON of `slo check`."""

    schema: str
    outcome: Outcome
    judgements: tuple[Judgement, ...]
    not_judged: tuple[Judgement, ...]


def _slow(pairs: tuple[str, ...], targets: Targets, ok: int) -> dict[float, int]:
    """`("200=12",)` as {200.0: 12}; raises BadParameter for anything the targets do not ask or the counts exclude."""
    asked = sorted({o.threshold_ms for o in targets.objectives if o.threshold_ms is not None})
    found: dict[float, int] = {}
    for pair in pairs:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)=(\d+)", pair)
        if match is None:
            problem = f"{pair} is not MS=N; write 200=12 for twelve answers over 200 ms"
        elif (threshold := float(match[1])) not in asked:
            problem = f"no objective has {match[1]} ms; the file asks for {', '.join(f'{ms:g}' for ms in asked)}"
        elif threshold in found:
            problem = f"{match[1]} ms is given twice; keep one"
        elif (slower := int(match[2])) > ok:
            problem = f"{slower} slow of {ok} answers that did not fail; give at most all of them"
        else:
            found[threshold] = slower
            continue
        raise click.BadParameter(problem, param_hint="--slow-over")
    return found


def _judge(objective: Objective, counts: _Counts, floor: int) -> Judgement | None:
    """The judgement of an objective that a load run judges; None where the counts say nothing of it."""
    from slo.verdict import judge_amount, judge_share  # noqa: PLC0415 - scipy takes a third of a second

    if objective.judged_by is not Judge.LOAD:
        return None
    if objective.kind is Kind.LATENCY:
        slow = counts.slow.get(objective.threshold_ms or 0)
        return None if slow is None else judge_share(objective, slow, counts.ok, floor=floor)
    if objective.kind in SHARES:
        return judge_share(objective, counts.failed, counts.ok + counts.failed, floor=floor)
    if objective.kind is Kind.THROUGHPUT and counts.seconds is not None:
        return judge_amount(objective, counts.ok / counts.seconds)
    return None


def _not_judged(objective: Objective, counts: _Counts) -> Judgement:
    from slo.verdict import not_judged  # noqa: PLC0415 - scipy takes a third of a second

    if objective.judged_by is Judge.LOAD:
        flag = {Kind.LATENCY: f"--slow-over {objective.threshold_ms or 0:g}=N", Kind.THROUGHPUT: "--seconds S"}
        asked = flag.get(objective.kind)
        words = f"not judged: give {asked}" if asked else "not judged: no count says anything of it"
        return msgspec.structs.replace(not_judged(objective), words=words)
    if objective.kind is Kind.LATENCY:
        return not_judged(objective, counts.slow.get(objective.threshold_ms or 0), counts.ok)
    return not_judged(objective, counts.failed, counts.ok + counts.failed, seconds=counts.seconds)


def _print_json(value: msgspec.Struct) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)))
