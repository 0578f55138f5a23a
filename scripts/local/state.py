"""What the local system remembers between commands: HOME/state.json, and the lock that guards changes to it."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from scripts.local import postgres, valkey
from scripts.local.errors import LocalError, LockedError, NotUpError
from scripts.local.ports import LOOPBACK, free_port
from scripts.local.processes import Process

ROOT = Path(__file__).resolve().parents[2]
VERSION = 1


class State(msgspec.Struct, frozen=True):
    """The addresses, secrets and processes of one local system; ports stay the same over down and up."""

    version: int
    home: str
    database_url: str  # the embedded server's, or the one DATABASE_URL named at `up`
    redis_url: str  # as above, REDIS_URL
    edge_port: int
    edge_port_fixed: bool  # asked for by the user: never replaced by another one
    envoy_admin_port: int
    route_key: str  # opens the preview route
    admin_token: str
    jwt_keys: dict[str, str]
    cursor_key: str
    postgres_port: int
    postgres_password: str
    valkey_port: int
    valkey_password: str
    processes: dict[str, Process]  # postgresql, valkey, envoy; a slot's process is in its own file

    @property
    def edge_url(self) -> str:
        """Where users' requests go."""
        return f"http://{LOOPBACK}:{self.edge_port}"

    @property
    def own_database_url(self) -> str:
        """The embedded PostgreSQL's, whether it is the one in use or not."""
        return postgres.url(self.postgres_port, self.postgres_password)

    @property
    def own_redis_url(self) -> str:
        """The embedded Valkey's, whether it is the one in use or not."""
        return valkey.url(self.valkey_port, self.valkey_password)

    def embeds(self, name: str) -> bool:
        """Whether this server is ours to run: not when the environment named another one at `up`."""
        others = {
            postgres.NAME: self.database_url != self.own_database_url,
            valkey.NAME: self.redis_url != self.own_redis_url,
        }
        return not others.get(name, False)


def default_home() -> Path:
    """`PRIMETRADE_LOCAL`, or `.local` under the repository."""
    return Path(os.environ.get("PRIMETRADE_LOCAL") or ROOT / ".local").resolve()


def new_state(home: Path) -> State:
    """Fresh secrets and free ports."""
    postgres_port, valkey_port = free_port(), free_port()
    postgres_password, valkey_password = secrets.token_hex(16), secrets.token_hex(16)
    return State(
        version=VERSION,
        home=str(home),
        database_url=postgres.url(postgres_port, postgres_password),
        redis_url=valkey.url(valkey_port, valkey_password),
        edge_port=free_port(),
        edge_port_fixed=False,
        envoy_admin_port=free_port(),
        route_key=secrets.token_urlsafe(24),
        admin_token=secrets.token_urlsafe(32),
        jwt_keys={"local-1": secrets.token_urlsafe(48)},
        cursor_key=secrets.token_urlsafe(48),
        postgres_port=postgres_port,
        postgres_password=postgres_password,
        valkey_port=valkey_port,
        valkey_password=valkey_password,
        processes={},
    )


def read_state(home: Path) -> State:
    """The state under a home. Raises NotUpError when there is none, LocalError when it cannot be read."""
    file = home / "state.json"
    try:
        state = msgspec.json.decode(file.read_bytes(), type=State)
    except FileNotFoundError:
        raise NotUpError(f"no local system under {home}: start one with `primetrade local up`") from None
    except (OSError, msgspec.DecodeError) as exc:
        raise LocalError(f"{file}: {exc}; run `primetrade local down`, delete the file, then `up`") from exc
    if state.version != VERSION:
        raise LocalError(f"{file}: version {state.version}, this command knows {VERSION}; delete {home} to start anew")
    return state


def write_state(state: State) -> None:
    """Replace the state file; it holds secrets, so it is the owner's alone."""
    replace_file(Path(state.home) / "state.json", msgspec.json.format(msgspec.json.encode(state)))


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all, on disk when this returns; mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123  # has a mode
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # the new name, not only the content; after the rename, so that a watcher need not wait
    finally:
        os.close(directory)


@contextmanager
def lock(home: Path) -> Iterator[None]:
    """Be the only command that changes this home, and not under a release.

    Raises LockedError at once; a killed holder holds nothing.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise LockedError(
                f"{home} is being changed by another command (pid {holder}): wait for it to end"
            ) from None
        _refuse_during_release(home)
        with suppress(OSError):  # on a full disk the pid is not told, and `down` goes on
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), str(os.getpid()).encode())
        yield


def _refuse_during_release(home: Path) -> None:
    """Look, without waiting, whether a release holds the lock that `scripts.release.lock` takes there."""
    with suppress(FileNotFoundError), (home / "release" / "lock").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back when the file is closed
        except BlockingIOError:
            raise LockedError(
                f"a release is running under {home}: wait for it to end (`primetrade release status` tells of it)"
            ) from None
