"""Analysis load: a bounded load run whose arrivals go in turn to the slots, through the preview route."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from loadtest.errors import LoadError
from loadtest.launch import RunConfig, launch
from loadtest.profile import ProfileError, changed, read_profile
from scripts.release.errors import ReleaseError
from scripts.release.slots import Load, Sample
from slo.compare import Counts

WARM_UP_S = 1


def measure(
    load: Load, target: str, arms: Mapping[str, Mapping[str, str]], home: Path, folder: str = "analysis"
) -> Sample:
    """Run `load` against `target`; `arms` are the headers that lead to each slot.

    The journeys' tokens are HOME/tokens.json where that exists. Raises ReleaseError when the load cannot be made.
    """
    tokens = home / "tokens.json"
    try:
        profile = changed(
            read_profile(load.profile),
            rate=load.rate,
            warmup_s=WARM_UP_S,
            steady_s=max(1, round(load.seconds)),
            max_steady_s=0,
            cooldown_s=0,
            logins_per_s=0.0,
        )
        config = RunConfig(
            profile=profile,
            target=target,
            out_dir=str(home / "release" / folder),
            seed=load.seed,
            thresholds_ms=(load.latency_ms,),
            arms={slot: dict(headers) for slot, headers in arms.items()},
            tokens_path=str(tokens) if tokens.exists() else None,
            background=True,  # users' requests come first; both slots are measured alike
        )
        with launch(config) as run:
            recording = run.wait()
    except (LoadError, ProfileError, OSError) as exc:  # a full disk
        raise ReleaseError(f"the analysis load could not be made: {exc}") from exc
    sample: dict[str, dict[str, Counts]] = defaultdict(dict)
    for cell in recording.cells:
        sample[cell.route][cell.slot] = Counts(cell.ok, cell.failed, cell.over[0])
    return sample
