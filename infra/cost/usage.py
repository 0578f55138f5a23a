"""What environments are used for: `usage.yaml`, each number with its reason, and what follows from them.

Peaks come from the targets in `slo.yaml`, so that one file says what the service is built for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from infra.config.base import Strict
from infra.errors import ConfigError
from slo import yamlfile
from slo.objective import Kind, Targets
from slo.reader import read_targets

FILE: Final = Path(__file__).with_name("usage.yaml")
TARGETS: Final = Path(__file__).parents[2] / "slo.yaml"
HOURS: Final = 730.0  # of a month, as AWS's own calculator counts
DAYS: Final = HOURS / 24
SECONDS: Final = HOURS * 3600
MILLION: Final = 1e6
GB_PER_KB: Final = 1e-6
GIB: Final = 2.0**30

Number = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Usage(Strict, frozen=True):
    """A month of one environment."""

    peak_share: Annotated[Number, Meta(description="Requests/s of the busiest hour, of the target in slo.yaml.")]
    mean_share: Annotated[Share, Meta(description="Requests/s on average, of the busiest hour.")]
    write_share: Annotated[Share, Meta(description="Of requests, those that write.")]
    response_kb: Annotated[Number, Meta(description="KB of an answer.")]
    cpu_ms: Annotated[Number, Meta(description="CPU of the task API per request, ms.")]
    headroom: Annotated[Annotated[float, Meta(ge=1)], Meta(description="CPU of nodes over CPU in use at the peak.")]
    slots: Annotated[Number, Meta(description="Copies of the task API that nodes must hold at once.")]
    data_share: Annotated[Number, Meta(description="Data in PostgreSQL, of the target in slo.yaml.")]
    changed_share: Annotated[Share, Meta(description="Of the data, what changes in a day.")]
    nat_gb: Annotated[Number, Meta(description="GB a month through NAT gateways.")]
    endpoint_gb: Annotated[Number, Meta(description="GB a month through interface endpoints.")]
    cache_gb: Annotated[Number, Meta(description="GB that Valkey holds, where it is paid by use.")]
    image_gb: Annotated[Number, Meta(description="GB of images in ECR.")]
    volume_gib: Annotated[Number, Meta(description="GiB of volumes that pods ask for.")]
    export_gb: Annotated[Number, Meta(description="GB of shared exports on EFS.")]
    archive_gb: Annotated[Number, Meta(description="GB of archived tasks on S3.")]
    audit_gb: Annotated[Number, Meta(description="GB of the audit's table.")]
    function_s: Annotated[Number, Meta(description="Seconds a month that each function runs.")]
    web_gb: Annotated[Number, Meta(description="GB a month of the web page, out of CloudFront.")]
    key_requests: Annotated[Number, Meta(description="Uses a month of each KMS key.")]
    partner_share: Annotated[Share, Meta(description="Of requests, those of partners by API Gateway.")]
    target_rps: Number = 0  # from slo.yaml
    target_gib: Number = 0  # as above; AWS says GB and means GiB

    @property
    def peak_rps(self) -> float:
        """Requests per second in the busiest hour."""
        return self.target_rps * self.peak_share

    @property
    def mean_rps(self) -> float:
        """Requests per second over a month."""
        return self.peak_rps * self.mean_share

    @property
    def requests(self) -> float:
        """Requests in a month."""
        return self.mean_rps * SECONDS

    @property
    def writes(self) -> float:
        """Requests in a month that write."""
        return self.requests * self.write_share

    @property
    def out_gb(self) -> float:
        """GB of answers in a month."""
        return self.requests * self.response_kb * GB_PER_KB

    @property
    def data_gib(self) -> float:
        """GiB in PostgreSQL."""
        return self.target_gib * self.data_share

    @property
    def changed_gib(self) -> float:
        """GiB that change in a day."""
        return self.data_gib * self.changed_share


KEYS: Final = tuple(name for name in Usage.__struct_fields__ if not name.startswith("target_"))
Why = Annotated[str, Meta(min_length=5, max_length=300)]


class Assumption(Strict, frozen=True):
    """One number and why it was taken."""

    value: Number
    why: Why


class Log(Strict, frozen=True):
    """What goes into log groups whose names hold a text."""

    match: Annotated[str, Meta(min_length=3, max_length=100)]
    bytes_per_request: Number
    gb_per_month: Number
    why: Why


class Bucket(Strict, frozen=True):
    """What lies in buckets whose names hold a text; `archive`: as much as `archive_gb` says."""

    match: Annotated[str, Meta(min_length=3, max_length=100)]
    puts: Number  # requests a month
    gets: Number  # as above
    why: Why
    gb: Number = 0
    archive: bool = False


class UsageFile(Strict, frozen=True):
    """The whole file: what holds everywhere, and where an environment departs from it."""

    version: Literal[1]
    logs: tuple[Log, ...]
    buckets: tuple[Bucket, ...]
    everywhere: dict[str, Assumption]
    stacks: dict[str, dict[str, Assumption]]

    def __post_init__(self) -> None:
        for where, found in {"everywhere": self.everywhere, **self.stacks}.items():
            if unknown := [key for key in found if key not in KEYS]:
                at = where if where == "everywhere" else f"stacks.{where}"
                raise ValueError(f"{at}.{unknown[0]}: is not a use; one of {', '.join(KEYS)} is expected")

    def of(self, stack: str) -> dict[str, Assumption]:
        """The assumptions of a stack. Raises ConfigError for one that is missing or out of bounds."""
        found = {**self.everywhere, **self.stacks.get(stack, {})}
        if missing := [key for key in KEYS if key not in found]:
            raise ConfigError(f"{FILE}: stacks.{stack}.{missing[0]} is missing; give it a value and a reason")
        return {key: found[key] for key in KEYS}


def read_file(path: Path = FILE) -> UsageFile:
    """Read the assumptions. Raises YamlFileError with file, line and key."""
    return yamlfile.load(path, UsageFile)


def usage_of(stack: str, file: UsageFile, targets: Targets | None = None) -> Usage:
    """The usage of a stack. Raises ConfigError."""
    found: dict[str, float] = {key: each.value for key, each in file.of(stack).items()}
    targets = targets or read_targets(TARGETS)
    found["target_rps"] = _target(targets, Kind.THROUGHPUT)
    found["target_gib"] = _target(targets, Kind.DATA) / GIB
    try:
        return msgspec.convert(found, Usage)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"{FILE}: stacks.{stack}: {exc}") from exc


def _target(targets: Targets, kind: Kind) -> float:
    found = next((each.target for each in targets.objectives if each.kind is kind), None)
    if found is None:
        raise ConfigError(f"{TARGETS}: has no objective of kind {kind}; costs are reckoned from it")
    return found
