"""`release.yaml`: how a service is released. Read into frozen structs; `schema.json` beside this file says the same."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

from scripts.release.comparison import Comparison
from scripts.release.errors import Unusable
from scripts.release.kubernetes.values import release_of
from scripts.release.notify import Receiver
from scripts.release.slots import Range, Release, Request, refuse_unsendable
from slo import yamlfile
from slo.objective import Kind, Targets
from slo.reader import read_targets
from slo.yamlfile import DURATION_PATTERN, Duration

SCHEMA_FILE = Path(__file__).with_name("schema.json")
Share = Annotated[float, Meta(gt=0, lt=1)]
Percent = Annotated[int, Meta(ge=1, le=100)]
NAME = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"  # of Kubernetes' objects
Word = Percent | Literal["shadow", "audience"]  # a stage of the way to all users


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An unknown key is a mistake, never ignored."""


class Probes(_Strict, frozen=True):
    """Paths every slot answers: `traffic` on the users' port, the others on its admin port."""

    traffic: str = "/health"
    ready: str = "/readyz"
    version: str = "/version"
    metrics: str = "/metrics"  # latency is read from http_request_duration_seconds there, where it exists


class Artefact(_Strict, frozen=True):
    """What a slot runs."""

    command: tuple[str, ...] = ()  # {python} stands for this interpreter; on Kubernetes the image says what runs
    env: dict[str, str] = {}
    probes: Probes = Probes()
    replicas: Annotated[int, Meta(ge=1, le=64)] = 1  # of a slot with users; never fewer than the other has


class Schema(_Strict, frozen=True):
    """The database levels this release works with, and the command that brings the database to `max`."""

    min: Annotated[int, Meta(ge=0)]
    max: Annotated[int, Meta(ge=0)]
    expand: tuple[str, ...] = ()  # empty: this service has no migrations

    def __post_init__(self) -> None:
        if self.max < self.min:
            raise ValueError(f"max: {self.max} is under min {self.min}; give the newest level this release works with")

    @property
    def range(self) -> Range:
        """Both ends as the slots state theirs."""
        return Range(self.min, self.max)


class Hold(_Strict, frozen=True):
    """How long a gate watches users' traffic, and how long it may wait for enough of it."""

    duration: Duration
    limit: Duration

    def __post_init__(self) -> None:
        if self.duration <= 0:
            raise ValueError("duration: a gate cannot judge a window without length; give one such as 10s")
        if self.limit < self.duration:
            raise ValueError(f"limit: {self.limit:g}s is under the duration {self.duration:g}s; give at least that")


class Analysis(_Strict, frozen=True):
    """Bounded load on the preview route before any user sees the release, half of it to each slot."""

    profile: str  # a file of loadtest/profiles/, without .yaml
    rate: Annotated[float, Meta(gt=0)]  # requests per second over both slots together
    duration: Duration


class Compare(_Strict, frozen=True):
    """The new slot passes where it is not worse than the old one by more than `margin`."""

    margin: Share  # of the share of requests that failed or were slow
    error_rate: Share = 0.05  # the chance to pass a slot that is worse by `margin`, and to refuse a good one
    latency_ms: Annotated[float, Meta(gt=0)] | None = None  # slow is over this; left out: the first latency target
    failure_share: Share | None = None  # refused when significantly over this; left out: the error target


class Command(_Strict, frozen=True):
    """A program that judges, run beside this file: 0 pass, 1 fail, 10 cannot decide, anything else an error."""

    name: str
    run: tuple[str, ...]  # {python} stands for this interpreter; its environment says SLOT, VERSION, EDGE_URL and more
    limit: Duration  # then it is ended, and its verdict is an error
    at: Literal["preview", "bake"] = "preview"  # before any user comes, or after the bake of all of them

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name: it is empty; give one that plans and messages can use")
        if not self.run or not self.run[0]:
            raise ValueError("run: it is empty; give the program and its arguments")
        if self.limit <= 0:
            raise ValueError("limit: nothing is judged in no time; give one such as 30s")

    def missing(self, directory: Path) -> str:
        """Why it cannot be run from `directory`; "" when its program is there."""
        program = self.run[0]
        there = directory / program if "/" in program else program
        if program == "{python}" or shutil.which(there):
            return ""
        return f"{self.name}: {program} is not there or may not be run: install it, or mend its run"


class Gates(_Strict, frozen=True):
    """What judges a release before and during the shift."""

    smoke: tuple[Request, ...]
    analysis: Analysis
    compare: Compare
    comparison: Comparison | None = None  # the same reads to both slots: their answers must agree
    commands: tuple[Command, ...] = ()

    def __post_init__(self) -> None:
        names = [command.name for command in self.commands]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"commands: {twice[0]} is there twice; give each its own name")


class Whom(_Strict, frozen=True):
    """Who gets the release at the stage `audience`: users who send any one of these."""

    share: Annotated[float, Meta(gt=0, le=100)]  # percent of all requests that they are expected to send
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}

    def __post_init__(self) -> None:
        if not (self.headers or self.cookies):
            raise ValueError("headers: nobody is singled out; give a header or a cookie with its value")
        refuse_unsendable(self.headers)
        refuse_unsendable({"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())})


class Shadow(_Strict, frozen=True):
    """What the stage `shadow` copies: reads alone, GET and HEAD."""

    share: Annotated[float, Meta(gt=0, le=100)] = 50  # percent of all requests that reads are expected to be


class Approvals(_Strict, frozen=True):
    """Where a person is asked, and how long the release waits for the answer before it is taken back."""

    before: tuple[Word, ...]
    limit: Duration = msgspec.field(default_factory=lambda: Duration(24 * 3600))

    def __post_init__(self) -> None:
        if self.limit <= 0:
            raise ValueError("limit: nobody answers in no time; give one such as 24h")


class Preview(_Strict, frozen=True):
    """The slot of a release that has no users yet."""

    capacity: Percent = 100  # percent of the active slot's replicas; raised to all of them before users come


class Bake(_Strict, frozen=True):
    """What judges it after the shift; a failure brings the users back by itself."""

    duration: Duration
    limit: Duration
    failure_share: Share  # most that may fail
    checks: tuple[Request, ...] = ()  # asked through the users' route at the end

    @property
    def hold(self) -> Hold:
        """The window, as the gates between the steps have it."""
        return Hold(duration=self.duration, limit=self.limit)

    def __post_init__(self) -> None:
        self.hold  # noqa: B018 - its rules are ours


class Timeouts(_Strict, frozen=True):
    """Deadlines; each is named in the message when it passes."""

    ready: Duration = msgspec.field(default_factory=lambda: Duration(60))
    verify: Duration = msgspec.field(default_factory=lambda: Duration(5))
    drain: Duration = msgspec.field(default_factory=lambda: Duration(30))


class Kubernetes(_Strict, frozen=True):
    """Where the slots are on `platform: kubernetes`: Helm releases APP-blue and APP-green beside the router's, APP."""

    namespace: Annotated[str, Meta(pattern=NAME)]
    context: str = ""  # of the kubeconfig; left out: the current one, or in a pod its own ServiceAccount
    app: Annotated[str, Meta(pattern=rf"{NAME}|^$", max_length=40)] = ""  # left out: the service
    chart: str = "helm/slot"  # beside this file, as are the values
    values: tuple[str, ...] = ()  # files of the chart's values, each laid over the one before
    image: str = ""  # repository; with a tag or digest if that never changes. --image beats it; the tag is the version
    secret: str = ""  # a Secret with the rest of the environment
    router: Literal["service", "gateway", "alb"] = "service"
    edge: str = ""  # address that users' requests go to; left out: that of the Service or Gateway
    # Address of the Prometheus that counts users' requests: it looks every 2 s, or more often.
    prometheus: str = ""
    slot_header: str = "x-slot"  # of answers: the slot they are from; "" if the application does not say
    drain: str = "/admin/drain"  # on the admin port: takes {"draining": true}; "" if the application has no such path
    drain_token: str = "ADMIN_TOKEN"  # key of the Secret: sent to it as X-Admin-Token  # noqa: S105 - a key's name


class Settings(_Strict, frozen=True):
    """The whole of release.yaml."""

    version: Literal[1]
    service: str
    platform: Literal["local", "kubernetes"]
    artefact: Artefact
    schema: Schema
    steps: tuple[Word, ...]
    hold: Hold
    gates: Gates
    bake: Bake
    warm: Duration  # so long the last version stays up for instant rollback; then the next command forward stops it
    slo: str = "slo.yaml"  # beside this file
    shadow: Shadow = Shadow()
    audience: Whom | None = None
    sticky: bool = False  # a user keeps a slot as long as it has a share
    approvals: Approvals | None = None
    preview: Preview = Preview()
    notify: tuple[Receiver, ...] = ()
    timeouts: Timeouts = msgspec.field(default_factory=Timeouts)
    kubernetes: Kubernetes | None = None

    @property
    def cluster(self) -> Kubernetes:
        """The section that `platform: kubernetes` needs, with its defaults filled in."""
        assert self.kubernetes
        return msgspec.structs.replace(self.kubernetes, app=self.kubernetes.app or self.service)

    def __post_init__(self) -> None:
        if self.platform == "local" and not self.artefact.command:
            raise ValueError("artefact.command: it is empty; give the program and its arguments")
        if self.platform == "kubernetes" and self.kubernetes is None:
            raise ValueError("platform: kubernetes needs the section kubernetes; give its namespace and image")
        shares = [word for word in self.steps if isinstance(word, int)]
        named = [word for word in self.steps if isinstance(word, str)]
        if not shares or shares[-1] != 100 or shares != sorted(set(shares)):
            raise ValueError("steps: percentages must rise and end at 100, such as [5, 25, 50, 100]")
        if list(self.steps) != [word for word in ("shadow", "audience") if word in named] + shares:
            raise ValueError("steps: shadow comes first and audience next, once each, then the percentages")
        if "audience" in named and self.audience is None:
            raise ValueError("steps: the stage audience needs the key audience, which says who that is")
        if unknown := [word for word in (self.approvals.before if self.approvals else ()) if word not in self.steps]:
            raise ValueError(f"approvals.before: {unknown[0]} is no stage of steps")


class Lacking(Unusable):
    """Neither the file nor the targets it names say what its gates need."""


class ReleaseFile(msgspec.Struct, frozen=True):
    """Settings that can be used, and where they are from."""

    settings: Settings
    path: Path
    digest: str  # SHA-256 of the file and the overrides, 12 hex digits
    overrides: tuple[str, ...]
    latency_ms: float
    failure_share: float
    text: str = ""
    lost: str = ""  # why the file cannot be used, where this is the copy that an earlier command kept

    def release(self, version: str, env: Mapping[str, str], image: str = "") -> Release:
        """The release of this artefact under `version`, `env` laid over the file's own. Raises Unusable."""
        if not version or version.startswith("-") or any(c.isspace() for c in version):
            raise Unusable(f"version {version!r} is not usable: give one word such as 1.1.0")
        artefact = self.settings.artefact
        whole = {**artefact.env, **env}
        if self.settings.platform == "kubernetes":
            return release_of(self.settings.cluster, self.path.absolute().parent, version, whole, image)
        if image:
            raise Unusable(f"--image {image}: the platform {self.settings.platform} runs no images; leave it out")
        return Release(version, artefact.command, whole)

    def lacking(self, env: Mapping[str, str]) -> tuple[str, ...]:
        """What the gates would miss in the middle of a release, a sentence with its key for each."""
        gates, directory = self.settings.gates, self.path.absolute().parent
        found = [f"gates.comparison.{words}" for words in gates.comparison.missing(env)] if gates.comparison else []
        return (*found, *(f"gates.commands.{words}" for each in gates.commands if (words := each.missing(directory))))


def read_release_file(path: Path, overrides: tuple[str, ...] = ()) -> ReleaseFile:
    """Read the file and the targets it names, then lay `KEY=VALUE` overrides over it.

    Raises YamlFileError or SloFileError with file, line and key; Unusable for an override.
    """
    raw = yamlfile.read(path)
    settings = read_settings(raw, path, overrides)
    targets, text = read_targets(path.parent / settings.slo), raw.decode(errors="replace")
    compare = settings.gates.compare
    return ReleaseFile(
        settings=settings,
        path=path,
        digest=digest_of(text, overrides),
        overrides=overrides,
        latency_ms=compare.latency_ms or _latency_ms(targets),
        failure_share=compare.failure_share or _failure_share(targets),
        text=text,
    )


def read_settings(raw: bytes, path: Path, overrides: tuple[str, ...]) -> Settings:
    """The settings of a text, `overrides` laid over it. Raises YamlFileError, and Unusable for an override."""
    settings = yamlfile.parse(raw, path, Settings)
    for override in overrides:
        settings = override_one(settings, override)
    return settings


def digest_of(text: str, overrides: tuple[str, ...]) -> str:
    """The same for the same text and overrides: 12 hex digits of their SHA-256."""
    return hashlib.sha256("\n".join([text, *overrides]).encode()).hexdigest()[:12]


def _latency_ms(targets: Targets) -> float:
    found = [o.threshold_ms for o in targets.objectives if o.kind is Kind.LATENCY and o.threshold_ms]
    if not found:
        raise Lacking("gates.compare.latency_ms: the targets have no latency objective either; give one here")
    return found[0]


def _failure_share(targets: Targets) -> float:
    found = [1 - o.target for o in targets.objectives if o.kind is Kind.ERRORS]
    if not found:
        raise Lacking("gates.compare.failure_share: the targets have no objective for errors either; give one here")
    return found[0]


def override_one(settings: Settings, override: str) -> Settings:
    """Replace one value named by its dotted key: `hold.duration=5s`, `steps=[50, 100]`. Raises Unusable."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise Unusable(f"--set {override}: write KEY=VALUE, such as hold.duration=5s")
    try:
        replaced = _replace(settings, key.split("."), yaml.safe_load(text))
    except (msgspec.ValidationError, ValueError, yaml.YAMLError) as exc:
        raise Unusable(f"--set {override}: {exc}") from exc
    assert isinstance(replaced, Settings)
    return replaced


def _replace(struct: Any, keys: list[str], value: object) -> object:
    if isinstance(struct, dict):
        return {**struct, ".".join(keys): str(value)}
    fields = {f.encode_name: f for f in msgspec.structs.fields(struct)} if isinstance(struct, msgspec.Struct) else {}
    if keys[0] not in fields:
        raise ValueError(f"unknown key {keys[0]}; the keys known here are {', '.join(fields) or 'none'}")
    field = fields[keys[0]]
    if len(keys) > 1:
        new = _replace(getattr(struct, field.name), keys[1:], value)
    else:
        new = msgspec.convert(value, field.type, dec_hook=yamlfile.decode)
    return msgspec.structs.replace(struct, **{field.name: new})


def json_schema() -> str:
    """The JSON Schema of release.yaml, as it is committed in schema.json."""
    schema = msgspec.json.schema(Settings, schema_hook=_duration_schema)
    head = {"$comment": "Generated by `python -m scripts.release.file`; do not edit."}
    return msgspec.json.format(msgspec.json.encode({**head, **schema}, order="sorted"), indent=2).decode() + "\n"


def _duration_schema(kind: type) -> dict[str, object]:
    if kind is Duration:
        return {"type": "string", "pattern": DURATION_PATTERN}
    raise NotImplementedError(f"no schema for {kind}")


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json_schema())
