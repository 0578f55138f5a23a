"""`primetrade load`: load tests against any HTTP service, judged by slo.yaml."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.errors import LoadError
from scripts.commands.options import json_option, print_json
from scripts.console import err, say
from scripts.exits import Exit, Failed, exits
from scripts.load_job.options import cluster_options, launched
from scripts.release.errors import ReleaseError, Unusable
from slo.yamlfile import Duration, YamlFileError

if TYPE_CHECKING:
    from loadtest.launch import LoadRun, RunConfig
    from loadtest.recording import Recording, Second
    from scripts.load_job.run import JobRun

FOLLOW_S = 0.2

slo_option = click.option(
    "--slo", "slo_path", default="slo.yaml", show_default=True, type=click.Path(path_type=Path), help="The targets."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Load tests: open arrivals, honest latency, a verdict with its reasons.

    Example: primetrade load run smoke --target http://127.0.0.1:8080 --tokens .local/tokens.json
    """


@command.command()
@json_option
@exits({LoadError: Exit.USAGE})
def profiles(*, as_json: bool) -> None:
    """List our own profiles.

    Example: primetrade load profiles
    """
    from loadtest.profile import names, read_profile  # noqa: PLC0415 - `--help` stays fast

    found = [read_profile(name) for name in names()]
    if as_json:
        click.echo(
            json.dumps([{"name": p.name, "rate": p.rate, "steady_s": p.steady_s, "says": p.says} for p in found])
        )
        return
    for profile in found:
        say(f"{profile.name:<10} {profile.rate:>6g}/s for {profile.steady_s:>3} s  {profile.says}")


@command.command()
@click.argument("profile")
@click.option("--target", required=True, metavar="URL", help="Scheme, host and port; paths are the journeys'.")
@click.option("--tokens", type=click.Path(path_type=Path), help="What `primetrade db seed` wrote; for our own API.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the reports go; reports/TIME-PROFILE by default.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="Sent with every request; repeatable.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Requests per second, for the profile's.")
@click.option("--steady", metavar="DURATION", help="Length of the judged phase, such as 60s, for the profile's.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of arrivals and mix.")
@cluster_options
@slo_option
@json_option
@exits({LoadError: Exit.USAGE, YamlFileError: Exit.USAGE, ReleaseError: Exit.ERROR, Unusable: Exit.USAGE})
def run(profile: str, target: str, slo_path: Path, *, as_json: bool, **chosen: object) -> int:
    """Load TARGET as PROFILE says (a name of ours, or a YAML file) and judge it.

    Ends with 0 passed, 3 target missed, 4 run invalid, 10 inconclusive, 130 interrupted; it means the same with
    --cluster, where TARGET is an address in the cluster, and the verdict and the reports are made here.

    Example: primetrade load run load --target http://127.0.0.1:8080 --tokens .local/tokens.json
    """
    from loadtest.launch import GeneratorDied, RunInvalid, launch  # noqa: PLC0415 - `--help` stays fast
    from slo.reader import read_targets  # noqa: PLC0415

    targets = read_targets(slo_path)
    config = _config(profile, target.rstrip("/"), targets.thresholds_ms(), chosen)
    progress = Progress()
    try:
        with launched(config, chosen, progress.say) or launch(config) as load:
            progress.say(f"{config.profile.rate:g} requests/s on {config.target}; reports in {config.out_dir}")
            try:
                recording = follow(load, progress)
            except (KeyboardInterrupt, SystemExit):
                progress.say("stopping; what was measured is kept")
                load.stop()
                with suppress(GeneratorDied, RunInvalid):  # it had not begun
                    _judge(load.wait(), slo_path, Path(config.out_dir), as_json=as_json)
                raise
    except GeneratorDied as exc:
        raise Failed(str(exc), Exit.ERROR) from exc
    except RunInvalid as exc:
        raise Failed(str(exc), Exit.RUN_INVALID) from exc
    return _judge(recording, slo_path, Path(config.out_dir), as_json=as_json)


@command.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@slo_option
@json_option
@exits({LoadError: Exit.USAGE, YamlFileError: Exit.USAGE})
def report(run_dir: Path, slo_path: Path, *, as_json: bool) -> int:
    """Judge the recording in RUN_DIR again, and write its reports anew.

    Example: primetrade load report reports/20261124-101500-load
    """
    from loadtest.launch import read_recording  # noqa: PLC0415 - `--help` stays fast

    return _judge(read_recording(run_dir), slo_path, run_dir, as_json=as_json)


def _config(profile: str, target: str, thresholds_ms: tuple[float, ...], chosen: dict[str, object]) -> RunConfig:
    from loadtest.launch import RunConfig  # noqa: PLC0415 - `--help` stays fast
    from loadtest.profile import changed, read_profile  # noqa: PLC0415

    found = read_profile(profile)
    if chosen["rate"] is not None:
        found = changed(found, rate=chosen["rate"])
    if chosen["steady"] is not None:
        found = changed(found, steady_s=_seconds(str(chosen["steady"])), max_steady_s=0)
    out = chosen["out"] or Path("reports") / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{found.name}"
    headers = chosen["headers"]
    assert isinstance(headers, tuple)
    return RunConfig(
        profile=found,
        target=target,
        out_dir=str(out),
        seed=int(str(chosen["seed"])),
        thresholds_ms=thresholds_ms,
        headers=dict(_header(text) for text in headers),
        tokens_path=None if chosen["tokens"] is None else str(chosen["tokens"]),
    )


def _seconds(text: str) -> int:
    try:
        seconds = float(Duration.parse(text))
    except ValueError as exc:
        raise Failed(f"--steady: {exc}", Exit.USAGE) from exc
    if seconds < 1 or not seconds.is_integer():
        raise Failed(f"--steady: {text} is not a whole number of seconds; give at least 1s", Exit.USAGE)
    return int(seconds)


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator:
        raise Failed(f"--header: {text!r} has no colon; write NAME:VALUE", Exit.USAGE)
    return name.strip(), value.strip()


class Progress:
    """One line a second, rewritten in place on a terminal; every fifth one elsewhere."""

    def say(self, line: str) -> None:
        err.print(line, markup=False, soft_wrap=True)

    def show(self, second: Second) -> None:
        line = (
            f"{second.t:>5} s {second.phase:<8} {second.ok:>6,}/s ok  {second.failed:>4} failed  "
            f"{second.dropped:>4} dropped  p50 {second.p50_ms:>7.1f} ms  p95 {second.p95_ms:>7.1f} ms  "
            f"in flight {second.in_flight:>4}"
        )
        if err.is_terminal:
            err.print(line, markup=False, no_wrap=True, overflow="crop", end="\r")
        elif second.t % 5 == 0:
            self.say(line)


def follow(load: LoadRun | JobRun, progress: Progress) -> Recording:
    """Show each second until the run is over. Raises GeneratorDied, also when it outlived its plan."""
    while load.poll() is None and not load.overdue:
        for second in load.seconds():
            progress.show(second)
        time.sleep(FOLLOW_S)
    return load.wait()


def _judge(recording: Recording, slo_path: Path, out: Path, *, as_json: bool) -> int:
    from loadtest.judge import UncountedError, judge  # noqa: PLC0415 - `--help` stays fast
    from loadtest.machine import generators, machine  # noqa: PLC0415
    from loadtest.report import write_all  # noqa: PLC0415
    from slo.objective import Outcome  # noqa: PLC0415
    from slo.reader import read_targets  # noqa: PLC0415

    try:
        made_by = generators(recording.workers) or machine()
        result = judge(recording, read_targets(slo_path), machine=made_by, title=f"{recording.profile} load test")
    except UncountedError as exc:
        raise Failed(str(exc), Exit.USAGE) from exc
    paths = write_all(result, out)
    if as_json:
        print_json(result)
    else:
        say(result.headline)
        for judgement in result.judgements:
            say(f"  {judgement.outcome.value:<12} {judgement.says}: {judgement.words}")
        for guard in result.guards:
            if not guard.ok:
                say(f"  invalid      {guard.name}: found {guard.found}, allowed {guard.allowed}")
        say(f"report: {paths[0]}")
    if recording.interrupted:
        return Exit.INTERRUPTED
    if not result.valid:
        return Exit.RUN_INVALID
    codes = {Outcome.PASS: Exit.DONE, Outcome.FAIL: Exit.SLO_MISSED, Outcome.INCONCLUSIVE: Exit.INCONCLUSIVE}
    return codes.get(result.outcome, Exit.ERROR)
