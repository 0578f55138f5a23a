"""AWS's own protection against deletion: of databases, clusters and tables, lifted where it is on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from botocore.exceptions import ClientError

from infra.ops.account import Account
from infra.ops.engine import Owned
from infra.ops.patience import Patience, Tell

# A teardown before this one took it away.
GONE: Final = ("DBInstanceNotFound", "DBInstanceNotFoundFault", "ResourceNotFoundException")


def lift(account: Account, owned: Owned, patience: Patience, tell: Tell) -> None:
    """Lift it from one resource, and wait until it is off; nothing is asked of what has none. Raises OpsError."""
    kind = owned.type.partition(":")[2].partition(":")[0]
    if kind not in LIFTS:
        return
    try:
        LIFTS[kind](account, owned, patience, tell)
    except ClientError as exc:
        if exc.response["Error"]["Code"] not in GONE:
            raise


def _database(account: Account, owned: Owned, patience: Patience, tell: Tell) -> None:
    name = owned.arn.rpartition(":")[2]

    def status() -> str:
        return account.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBInstanceStatus"]

    def on() -> bool:
        return account.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DeletionProtection"]

    if not on():
        return
    if status() in ("stopped", "stopping"):  # RDS changes none that is, and makes no last snapshot of one
        patience.until(lambda: f"{name}, stopping" if status() == "stopping" else "", tell)
        account.rds.start_db_instance(DBInstanceIdentifier=name)
        patience.until(lambda: f"{name}, {found}" if (found := status()) != "available" else "", tell)
    account.rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
    patience.until(lambda: f"the protection of {name}" if on() else "", tell)


def _cluster(account: Account, owned: Owned, patience: Patience, tell: Tell) -> None:
    def on() -> bool:
        return account.eks.describe_cluster(name=owned.id)["cluster"].get("deletionProtection", False)

    change = partial(account.eks.update_cluster_config, name=owned.id, deletionProtection=False)
    _off(owned, on, change, patience, tell)


def _table(account: Account, owned: Owned, patience: Patience, tell: Tell) -> None:
    def on() -> bool:
        return account.dynamodb.describe_table(TableName=owned.id)["Table"].get("DeletionProtectionEnabled", False)

    change = partial(account.dynamodb.update_table, TableName=owned.id, DeletionProtectionEnabled=False)
    _off(owned, on, change, patience, tell)


def _off(owned: Owned, on: Callable[[], bool], change: Callable[[], object], patience: Patience, tell: Tell) -> None:
    """AWS refuses a change that changes nothing, so what is off is left alone."""
    if on():
        change()
        patience.until(lambda: f"the protection of {owned.id}" if on() else "", tell)


LIFTS: Final[dict[str, Callable[[Account, Owned, Patience, Tell], None]]] = {
    "rds/instance": _database,
    "eks/cluster": _cluster,
    "dynamodb/table": _table,
}
