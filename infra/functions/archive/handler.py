"""AWS Lambda's entry: the environment read, the database and the bucket opened, `move` called.

Each run says in one JSON line what it did. What it raises, Lambda tries twice again and then puts into the queue of
failed runs, which an alarm watches.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import boto3
import psycopg
from botocore.exceptions import ClientError
from psycopg.conninfo import make_conninfo

from infra.functions.archive.move import move

SPARE_MS = 30_000  # for the batch that is being moved when time is nearly up
CONNECT_S = 5
# As statements: RDS Proxy refuses them among the options of a connection.
LIMITS = ("set statement_timeout = '60s'", "set lock_timeout = '2s'", "set timezone = 'UTC'")


class Context(Protocol):
    """What of Lambda's context is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda ends this run."""


@dataclass(frozen=True)
class Settings:
    """What the platform tells the function; `infra/components/archive.py` writes these variables."""

    host: str  # DATABASE_HOST
    name: str  # DATABASE_NAME
    secret: str  # DATABASE_SECRET: ARN of {"username", "password"}
    bucket: str  # BUCKET
    days: int  # AFTER_DAYS: how long tasks stay after they were closed
    batch: int  # BATCH: tasks in an object

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Raises KeyError with the name of a variable that is missing."""
        return cls(
            host=environ["DATABASE_HOST"],
            name=environ["DATABASE_NAME"],
            secret=environ["DATABASE_SECRET"],
            bucket=environ["BUCKET"],
            days=int(environ["AFTER_DAYS"]),
            batch=int(environ["BATCH"]),
        )


class Bucket:
    """S3 as `move` wants it."""

    def __init__(self, bucket: str) -> None:
        self._bucket, self._s3 = bucket, boto3.client("s3")

    def put(self, key: str, body: bytes) -> None:
        """Write once: an object of that name has that content already."""
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/gzip", IfNoneMatch="*"
            )
        except ClientError as exc:
            if exc.response["Error"]["Code"] != "PreconditionFailed":
                raise

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()


def handle(event: object, context: Context) -> dict[str, Any]:
    """One run; Lambda keeps what it returns nowhere, the log line does."""
    settings = Settings.read(os.environ)
    before = datetime.now(UTC) - timedelta(days=settings.days)
    with psycopg.connect(address(settings), autocommit=True, connect_timeout=CONNECT_S) as database:
        for limit in LIMITS:
            database.execute(limit)
        moved = move(
            database,
            Bucket(settings.bucket),
            before,
            settings.batch,
            lambda: context.get_remaining_time_in_millis() > SPARE_MS,
        )
    done = {"event": "archived", "before": before.isoformat(), **asdict(moved)}
    print(json.dumps(done))  # noqa: T201  # Lambda's log
    return done


def address(settings: Settings) -> str:
    """Where the database is, with the name and password that Secrets Manager gives, by TLS."""
    text = boto3.client("secretsmanager").get_secret_value(SecretId=settings.secret)["SecretString"]
    login = json.loads(text)
    host, _, port = settings.host.partition(":")
    return make_conninfo(
        host=host,
        port=port or "5432",
        dbname=settings.name,
        user=login["username"],
        password=login["password"],
        sslmode=os.environ.get("PGSSLMODE", "require"),
        application_name="primetrade-archive",
    )
