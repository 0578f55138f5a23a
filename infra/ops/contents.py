"""What AWS deletes only when it is empty: buckets, repositories of images, vaults of backups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from infra.errors import OpsError
from infra.ops.account import Account
from infra.ops.engine import Owned

if TYPE_CHECKING:  # the types are for development only
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef

GONE: Final = ("NoSuchBucket", "RepositoryNotFoundException", "ResourceNotFoundException")  # a teardown before this one
IMAGES: Final = 100  # that one call takes


def full(account: Account, owned: Iterable[Owned]) -> list[str]:
    """The names of those in which anything is."""
    return [each.name for each in owned if (kind := _kind(each)) in HOLDS and _ask(HOLDS[kind], account, each)]


def empty(account: Account, owned: Sequence[Owned]) -> None:
    """Delete what is in them, with all its versions; backups go on going when this returns. Raises OpsError."""
    names = full(account, owned)
    for each in owned:
        if each.name in names:
            EMPTIES[_kind(each)](account, each)


def _kind(owned: Owned) -> str:
    return owned.type.partition(":")[2].partition(":")[0]


def _ask(holds: Callable[[Account, Owned], bool], account: Account, owned: Owned) -> bool:
    try:
        return holds(account, owned)
    except ClientError as exc:
        if exc.response["Error"]["Code"] in GONE:
            return False
        raise


def _versions(account: Account, bucket: str) -> Iterator[list[ObjectIdentifierTypeDef]]:
    """Up to 1,000 at a time, of files and of marks that they were deleted."""
    for page in account.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        yield [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        ]


def _empty_bucket(account: Account, bucket: Owned) -> None:
    for versions in _versions(account, bucket.id):
        if versions:
            done = account.s3.delete_objects(Bucket=bucket.id, Delete={"Objects": versions, "Quiet": True})
            for error in done.get("Errors", ()):
                raise OpsError(f"{bucket.name}: {error.get('Key')} stays: {error.get('Message')}")


def _images(account: Account, repository: Owned) -> list[dict[str, str]]:
    found: list[dict[str, str]] = account.ecr.list_images(repositoryName=repository.id, maxResults=IMAGES)["imageIds"]
    return found


def _empty_repository(account: Account, repository: Owned) -> None:
    """One of several platforms goes before what it is made of, so some need a second call."""
    while images := _images(account, repository):
        done = account.ecr.batch_delete_image(repositoryName=repository.id, imageIds=images)
        if not done["imageIds"]:
            raise OpsError(f"{repository.name}: an image stays: {done['failures'][0]['failureReason']}")


def _points(account: Account, vault: Owned) -> list[str]:
    there = account.at(vault.arn.split(":")[3])
    pages = there.backup.get_paginator("list_recovery_points_by_backup_vault").paginate(BackupVaultName=vault.id)
    return [each["RecoveryPointArn"] for page in pages for each in page["RecoveryPoints"]]


def _empty_vault(account: Account, vault: Owned) -> None:
    """Its lock first, which would hold every one of them."""
    there = account.at(vault.arn.split(":")[3])
    there.backup.delete_backup_vault_lock_configuration(BackupVaultName=vault.id)
    for point in _points(account, vault):
        there.backup.delete_recovery_point(BackupVaultName=vault.id, RecoveryPointArn=point)


HOLDS: Final[dict[str, Callable[[Account, Owned], bool]]] = {
    "backup/vault": lambda account, vault: bool(_points(account, vault)),
    "ecr/repository": lambda account, repository: bool(_images(account, repository)),
    "s3/bucket": lambda account, bucket: any(_versions(account, bucket.id)),
}
EMPTIES: Final[dict[str, Callable[[Account, Owned], None]]] = {
    "backup/vault": _empty_vault,
    "ecr/repository": _empty_repository,
    "s3/bucket": _empty_bucket,
}
