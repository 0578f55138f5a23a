"""Samples of the rules about what outlives a disaster."""

from __future__ import annotations

from infra.plan.graph import Resource
from tests.infra.samples import Samples, graph, one

TABLE, VAULT, PLAN = "dynamodb/table", "backup/vault", "backup/plan"
KEPT = {"lifecycle": {"deleteAfter": 30}}


def other(kind: str, **inputs: object) -> Resource:
    return Resource(name="other", type=f"aws:{kind}:X", provider="account", inputs=inputs)


CHOSEN = other("backup/selection", resources=["${sample.arn}"])
LOCK = other("backup/vaultLockConfiguration", backupVaultName="v", minRetentionDays=1)
LOOSE = other("backup/vaultLockConfiguration", backupVaultName="v", minRetentionDays=0)

KEEPING_SAMPLES: Samples = {
    "backups-cover": (
        [graph(one(TABLE, {}), CHOSEN), graph(one(TABLE, {}), environment="dev")],
        [
            (graph(one(TABLE, {})), "is in no backup plan"),
            (graph(one(TABLE, {}), other("backup/selection", resources=["${other.arn}"])), "is in no backup plan"),
        ],
    ),
    "backups-sealed": (
        [graph(one(VAULT, {"kmsKeyArn": "x"}))],
        [(graph(one(VAULT, {})), "kmsKeyArn is missing")],
    ),
    "backups-locked": (
        [graph(one(VAULT, {"name": "v"}), LOCK)],
        [
            (graph(one(VAULT, {"name": "w"}), LOCK), "has no lock"),
            (graph(one(VAULT, {"name": "v"}), LOOSE), "minRetentionDays is 0"),
        ],
    ),
    "backups-stay": (
        [graph(one(VAULT, {}, protect=True)), graph(one(VAULT, {}), environment="staging")],
        [(graph(one(VAULT, {})), "is not protected")],
    ),
    "backups-travel": (
        [
            graph(one(PLAN, {"rules": [{"ruleName": "a", "copyActions": [{}], **KEPT}]})),
            graph(one(PLAN, {"rules": [{"ruleName": "a", **KEPT}]}), environment="dr"),
        ],
        [
            (graph(one(PLAN, {"rules": [{"ruleName": "a", **KEPT}]})), "rule a copies nowhere"),
            (graph(one(PLAN, {"rules": [{"ruleName": "a", "copyActions": [{}]}]})), "rule a keeps for ever"),
        ],
    ),
    "copied-keys-stay": (
        [graph(one("kms/replicaKey", {}, protect=True))],
        [(graph(one("kms/replicaKey", {})), "is not protected")],
    ),
}
