"""The parts of one process, put together once."""

from __future__ import annotations

import dataclasses

from app.auth.passwords import Passwords
from app.auth.tokens import Tokens
from app.cache import Cache
from app.cursors import Cursors
from app.database import Database
from app.faults import Faults
from app.lifecycle import Lifecycle
from app.limits import Limit, Limiter
from app.metrics import Metrics
from app.settings import Settings
from app.valkey import Valkey
from app.vitals import Vitals


@dataclasses.dataclass(frozen=True, slots=True)
class Runtime:
    """What handlers and hooks use; made by build(), one per process."""

    settings: Settings
    lifecycle: Lifecycle
    metrics: Metrics
    database: Database
    valkey: Valkey
    cache: Cache
    vitals: Vitals
    limiter: Limiter
    tokens: Tokens
    passwords: Passwords
    cursors: Cursors
    faults: Faults
    requests: Limit
    logins_per_account: Limit
    logins_per_address: Limit

    def close(self) -> None:
        """Let go of connections, after the last request."""
        self.lifecycle.end()
        self.database.close()
        self.valkey.close()


def build(settings: Settings) -> Runtime:
    """Make the parts; nothing connects yet."""
    metrics = Metrics(settings.slot, settings.app_version)
    database = Database(settings.database_url, settings.pool_max)
    valkey = Valkey(settings.redis_url)
    metrics.watch(database, {"database": database.breaker, "valkey": valkey.breaker})
    lifecycle = Lifecycle()
    logins = settings.login_rate_limit_per_minute
    return Runtime(
        settings=settings,
        lifecycle=lifecycle,
        metrics=metrics,
        database=database,
        valkey=valkey,
        cache=Cache(valkey, metrics),
        vitals=Vitals(lifecycle, database, valkey),
        limiter=Limiter(valkey, metrics),
        tokens=Tokens(settings.jwt_keys, settings.access_token_s),
        passwords=Passwords(),
        cursors=Cursors(settings.cursor_key),
        faults=Faults(settings),
        requests=Limit("requests", settings.rate_limit_per_minute),
        logins_per_account=Limit("logins", logins, alone=0.5),
        logins_per_address=Limit("logins-from", logins * 6, alone=0.5),
    )
