"""What `primetrade load run` takes for a load that is made in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from scripts.exits import Exit, Failed

if TYPE_CHECKING:
    from loadtest.launch import RunConfig
    from scripts.load_job.run import JobRun

# None where one is not given, so that it can be refused without --cluster.
OPTIONS: dict[str, dict[str, Any]] = {
    "--image": {"help": "Of master and workers, such as docker.io/local/task-load:1.4.0."},
    "--workers": {"type": click.IntRange(1, 100), "help": "Pods that send; 2 if left out."},
    "--secret": {"help": "With the API's DATABASE_URL and JWT_KEYS: the master seeds users; for our own journeys."},
    "--namespace": {"help": "Of the Jobs; `default` if left out."},
    "--context": {"help": "Of the kubeconfig, for the current one."},
    "--kubeconfig": {"type": click.Path(dir_okay=False), "help": "In place of $KUBECONFIG."},
}

Verb = Callable[..., Any]


def cluster_options(verb: Verb) -> Verb:
    """--cluster, and what only it takes."""
    for name, settings in reversed(OPTIONS.items()):
        verb = click.option(name, metavar=name.strip("-").upper(), **settings)(verb)
    return click.option("--cluster", is_flag=True, help="Make the load in Kubernetes, by a master and workers.")(verb)


def launched(config: RunConfig, chosen: Mapping[str, Any], say: Callable[[str], object]) -> JobRun | None:
    """The run at work in the cluster; None where it is to be made here. Raises Failed, BadRun, ReleaseError."""
    given = {name: str(chosen[name]) for name in (option.strip("-") for option in OPTIONS) if chosen[name] is not None}
    if not chosen["cluster"]:
        if given:
            listed = ", ".join(f"--{name}" for name in given)
            raise Failed(f"{listed}: for a load that is made in a cluster; add --cluster", Exit.USAGE)
        return None
    if "image" not in given:
        raise Failed("--cluster: name the --image of master and workers", Exit.USAGE)
    if config.tokens_path is not None:
        raise Failed("--tokens: with --cluster the master seeds and has its own; give --secret instead", Exit.USAGE)
    from scripts.load_job.manifests import Place  # noqa: PLC0415 - `--help` stays fast
    from scripts.load_job.run import launch_job  # noqa: PLC0415
    from scripts.release.kubernetes.client import Api  # noqa: PLC0415

    place = Place("", given.get("namespace", "default"), given["image"], given.get("secret", ""))
    api = Api.connect(given.get("context", ""), given.get("kubeconfig", ""))
    return launch_job(config, place, int(given.get("workers", "2")), api, say)
