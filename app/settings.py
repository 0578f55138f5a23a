"""Settings, read once from the environment: one frozen struct, every field with its type, default and a line."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MIN_SECRET = 32  # bytes; RFC 7518 §3.2 asks an HS256 key to be no shorter than its hash
POOL_LIMIT = 20

Port = Annotated[int, Meta(ge=1, le=65535)]
Secret = Annotated[str, Meta(min_length=MIN_SECRET)]
Origin = Annotated[str, Meta(pattern=r"^https?://[^/\s]+\Z")]  # as browsers send it: no path, no final slash
Service = Literal["auth", "users", "tasks"]


class SettingsError(ValueError):
    """The environment cannot be used; the message names the variable."""


class Settings(msgspec.Struct, frozen=True, rename=str.upper, kw_only=True):
    """What one process of the task service needs to know. Field names are the variables' names in lower case."""

    database_url: Annotated[str, Meta(description="postgresql://… of the primary.", min_length=1)]
    redis_url: Annotated[str, Meta(description="redis://… of the shared cache.", min_length=1)]
    jwt_keys: Annotated[
        dict[str, Secret],
        Meta(description='JSON {"kid": "secret"}, 32 bytes or more each; the first signs, all verify.', min_length=1),
    ]
    cursor_key: Annotated[str, Meta(description="Signs page cursors; 32 bytes or more.", min_length=MIN_SECRET)]
    admin_token: Annotated[str, Meta(description="Opens the POST routes of the admin port.", min_length=16)]
    bind: Annotated[str, Meta(description="Address both ports bind to.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Traffic port.")] = 8080
    admin_port: Annotated[Port, Meta(description="Probes, metrics, drain and faults.")] = 9090
    app_version: Annotated[str, Meta(description="Version of this build, as /version and the metrics name it.")] = "dev"
    slot: Annotated[Literal["blue", "green"], Meta(description="The slot this process serves in.")] = "blue"
    services: Annotated[tuple[Service, ...], Meta(description="Comma-separated services to serve.", min_length=1)] = (
        "auth",
        "users",
        "tasks",
    )
    threads: Annotated[
        int, Meta(description="Request threads; the pool opens at most this many connections.", ge=1, le=64)
    ] = 8
    cpu_core: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Core this process keeps to once it is warm; only where few are shared."),
    ] = None
    cors_origins: Annotated[tuple[Origin, ...], Meta(description="Comma-separated exact origins let in by CORS.")] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Comma-separated addresses or networks whose X-Forwarded-For, X-Request-Id and X-Request-Start "
            "count."
        ),
    ] = ("127.0.0.1", "::1")
    edge_marks_copies: Annotated[
        bool,
        Meta(
            description="Whether the edge marks copies of users' reads with X-Shadow and takes that header from what "
            "clients send; copies count against no limit."
        ),
    ] = False
    queue_limit: Annotated[
        float,
        Meta(
            description="Seconds; a request that began longer ago at the edge (X-Request-Start, Unix seconds) is "
            "refused with 503 before any work. Shorter than clients wait. The two clocks are compared: an edge ahead "
            "of this machine is taken for no wait, one behind by the limit would have everything refused, so keep them "
            "in step or set a very large limit.",
            gt=0,
        ),
    ] = 3.0
    rate_limit_per_minute: Annotated[int, Meta(description="Requests a minute per user, or per address.", ge=1)] = 600
    login_rate_limit_per_minute: Annotated[
        int, Meta(description="Logins a minute per account; six times as many per address.", ge=1)
    ] = 10
    access_token_s: Annotated[int, Meta(description="Life of an access token, seconds.", ge=60, le=900)] = 900
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Meta(description="Least level logged.")] = "INFO"
    faults_enabled: Annotated[bool, Meta(description="1 lets the FAULT_ settings and /admin/faults work.")] = False
    fault_error_share: Annotated[float, Meta(description="Share of requests answered 500.", ge=0, le=1)] = 0.0
    fault_latency_ms: Annotated[float, Meta(description="Added to every request, milliseconds.", ge=0, le=60_000)] = 0.0
    fault_unready: Annotated[bool, Meta(description="/readyz says 503.")] = False
    fault_hang: Annotated[bool, Meta(description="Requests are not answered while it is on.")] = False
    fault_crash_at_start: Annotated[bool, Meta(description="The worker exits as it starts.")] = False

    @property
    def pool_max(self) -> int:
        """Connections the pool may open: one per request thread, at most 20."""
        return min(self.threads, POOL_LIMIT)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the variables named like the fields; others are ignored. Raises SettingsError."""
        found: dict[str, Any] = {}
        for field in msgspec.structs.fields(cls):
            text = environ.get(field.encode_name)
            if text is None:
                continue
            if field.encode_name in ("SERVICES", "CORS_ORIGINS", "TRUSTED_PROXIES"):
                found[field.encode_name] = [part.strip() for part in text.split(",") if part.strip()]
            elif field.encode_name == "JWT_KEYS":
                found[field.encode_name] = _json_object(text)
            else:
                found[field.encode_name] = text
        try:
            settings = msgspec.convert(found, cls, strict=False)
            for proxy in settings.trusted_proxies:
                _check_network(proxy)
        except msgspec.ValidationError as exc:
            raise SettingsError(
                f"environment: {str(exc).replace('$.', '$')}; see the settings in docs/reference.md"
            ) from exc
        return settings


def _check_network(proxy: str) -> None:
    try:
        ipaddress.ip_network(proxy)
    except ValueError as exc:
        raise SettingsError(f"environment: TRUSTED_PROXIES: {exc}") from None


def _json_object(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:  # the text holds secrets: say where, not what
        raise SettingsError(f"environment: JWT_KEYS is not JSON (character {exc.pos})") from None
