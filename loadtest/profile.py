"""Load profiles: what to send, how fast and for how long, read from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from loadtest.errors import LoadError
from slo.yamlfile import YamlFileError, load

PROFILES = Path(__file__).parent / "profiles"

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Seconds = Annotated[int, msgspec.Meta(ge=0)]  # whole, so that no one-second block lies in two phases


class ProfileError(LoadError):
    """A profile that cannot be used; the message says where and what to do."""


class Journey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request of an API that is not ours; `name` is its route in the report."""

    name: str
    path: str
    method: Method = "GET"
    headers: dict[str, str] = {}
    body: str | None = None  # text is sent as it stands
    json: dict[str, Any] | list[Any] | None = None  # sent as JSON, with its content type
    weight: Positive = 1.0
    expect: tuple[int, ...] = ()  # statuses that are right; none given: any below 400
    contains: str | None = None  # text that a right answer holds

    def __post_init__(self) -> None:
        if not self.path.startswith("/") or any(c <= " " or c > "~" for c in self.path):
            raise ValueError(
                f"path: {self.path!r} is not a path; start with / and percent-encode what is not printable ASCII"
            )
        if self.body is not None and self.json is not None:
            raise ValueError("json: stands beside body; keep one of the two")
        check_headers(self.headers)


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to load a system."""

    name: str
    rate: Positive  # requests due per second
    steady_s: Annotated[int, msgspec.Meta(ge=1)]  # the phase that is judged
    says: str = ""
    arrivals: Literal["poisson", "uniform"] = "poisson"
    warmup_s: Seconds = 0
    ramp_s: Seconds = 0  # of the warm-up: the rate rises from 0
    cooldown_s: Seconds = 0
    max_steady_s: int = 0  # where a run may be told to go on; 0: steady_s
    timeout_s: Positive = 5.0  # from the send
    max_in_flight: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 6000  # at least rate x timeout_s
    logins_per_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # built-in journeys only, in the warm-up
    journeys: Literal["tasks"] | tuple[Journey, ...] = "tasks"

    def __post_init__(self) -> None:
        if 0 < self.max_steady_s < self.steady_s:
            raise ValueError(
                f"max_steady_s: {self.max_steady_s} is less than steady_s: {self.steady_s}; raise it or leave it out"
            )
        if self.ramp_s > self.warmup_s:
            raise ValueError(
                f"ramp_s: {self.ramp_s} is more than warmup_s: {self.warmup_s}; the judged phase has one rate: lower it"
            )
        if not self.journeys:
            raise ValueError('journeys: none given; declare at least one, or write "tasks"')
        if self.logins_per_s > self.rate:
            raise ValueError(
                f"logins_per_s: {self.logins_per_s} is more than rate: {self.rate}; lower it, or raise rate"
            )
        if self.rate * self.timeout_s > self.max_in_flight:
            # Else a service that hangs would be dropped requests, an invalid run, where it has to be a failed one.
            raise ValueError(
                f"max_in_flight: {self.max_in_flight:,} is less than the {self.rate * self.timeout_s:,.0f} requests in "
                f"flight when none is answered, {self.rate:g}/s x timeout_s: {self.timeout_s:g}; raise it (10,000 at "
                "most), or lower rate or timeout_s"
            )


def read_profile(name_or_path: str) -> Profile:
    """Read a profile of ours by its name, or any by its path.

    Raises ProfileError naming file, line and key.
    """
    path = PROFILES / f"{name_or_path}.yaml"
    if "/" in name_or_path or name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
    elif not path.is_file():
        raise ProfileError(
            f"no profile {name_or_path!r}: ours are {', '.join(names())}; give one of them, or the path of a YAML file"
        )
    try:
        return load(path, Profile)
    except YamlFileError as exc:
        raise ProfileError(str(exc)) from exc


def changed(profile: Profile, **fields: object) -> Profile:
    """`profile` with other values of `fields`. Raises ProfileError where they break its rules."""
    try:
        return msgspec.structs.replace(profile, **fields)
    except ValueError as exc:
        given = ", ".join(f"{name}: {value}" for name, value in fields.items())
        raise ProfileError(f"profile {profile.name!r} does not go with {given}: {exc}") from exc


def names() -> list[str]:
    """Our own profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def check_headers(headers: dict[str, str]) -> None:
    """Raise ValueError for a header that would break the request it is written into."""
    for name, value in headers.items():
        if not name or not name.isascii() or any(c in name for c in ' :\r\n\t"'):
            raise ValueError(f"headers: {name!r} is not the name of a header; use letters, digits and dashes")
        if not value.isprintable() or not value.isascii():
            raise ValueError(f"headers.{name}: {value!r} is not printable ASCII; encode it")
