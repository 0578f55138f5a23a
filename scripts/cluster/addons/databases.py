"""The databases of the cluster: one in PostgreSQL and one in Valkey for each namespace that asks."""

from __future__ import annotations

import os
import secrets
import zlib
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import msgspec

from scripts.cluster.addons.archive import UID
from scripts.cluster.addons.kubectl import Kubectl

NAMESPACE = "data"
_DATABASES = 1024  # of Valkey
_VALKEY = ("port 6379", "bind *", 'save ""', "appendonly no", "maxmemory 128mb", "maxmemory-policy allkeys-lru")
# A role and a database of its own; the role's password is what the Secret says.
_SQL = r"""
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
"""


def prepare(kubectl: Kubectl, home: Path) -> None:
    """The folder where PostgreSQL writes, and the password of Valkey. Raises ClusterError."""
    folder = home / "postgresql"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(folder, UID, UID)
    if not _read(kubectl, NAMESPACE, "valkey"):
        lines = (*_VALKEY, f"databases {_DATABASES}", f"requirepass {secrets.token_hex(16)}", "")
        _write(kubectl, NAMESPACE, "valkey", {"valkey.conf": "\n".join(lines)})


def secret(
    kubeconfig: Path, namespace: str, name: str = "task-api", also: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Make the Secret `name` with DATABASE_URL and REDIS_URL of databases for `namespace`, and what `also` brings.

    What the Secret has already stays, so that pods which read it go on. Raises ClusterError.
    """
    kubectl = Kubectl(kubeconfig)
    there = _read(kubectl, namespace, name)
    url = there.get("DATABASE_URL", "")
    password = urlsplit(url).password or secrets.token_hex(16)
    given = ("--set=name=" + namespace, "--set=password=" + password)
    psql = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--host=/tmp", "--dbname=postgres", *given)
    kubectl.run("exec", "--stdin", "postgresql-0", f"--namespace={NAMESPACE}", "--", *psql, given=_SQL)
    made = {
        "DATABASE_URL": f"postgresql://{namespace}:{password}@postgresql.{NAMESPACE}:5432/{namespace}",
        "REDIS_URL": f"redis://:{_valkey_password(kubectl)}@valkey.{NAMESPACE}:6379/{_number(namespace)}",
    }
    _write(kubectl, namespace, name, {**also, **made, **there})


def _number(namespace: str) -> int:
    """The namespace's database in Valkey: two of a thousand rarely meet."""
    return zlib.crc32(namespace.encode()) % _DATABASES


def _valkey_password(kubectl: Kubectl) -> str:
    return _read(kubectl, NAMESPACE, "valkey")["valkey.conf"].split("requirepass ")[1].strip()


def _read(kubectl: Kubectl, namespace: str, name: str) -> dict[str, str]:
    found = kubectl.get("secret", name, f"--namespace={namespace}") or {}
    return {key: b64decode(value).decode() for key, value in found.get("data", {}).items()}


def _write(kubectl: Kubectl, namespace: str, name: str, content: Mapping[str, str]) -> None:
    metadata = {"name": name, "namespace": namespace}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "data": {key: value.encode() for key, value in content.items()},
    }
    kubectl.apply(msgspec.json.encode(body).decode())  # which writes bytes in base64
