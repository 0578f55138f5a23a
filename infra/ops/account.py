"""AWS by boto3: one account in one region, every call with time limits and retries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from infra.errors import ConfigError, OpsError

if TYPE_CHECKING:  # the types are for development only
    from types_boto3_backup import BackupClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_eks import EKSClient
    from types_boto3_elbv2 import ElasticLoadBalancingv2Client
    from types_boto3_rds import RDSClient
    from types_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient
    from types_boto3_s3 import S3Client

# Standard retries: throttles and lost connections, with back-off; nothing waits for more than a few minutes.
LIMITS: Final = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 6})


class ECRClient(Protocol):
    """As much of it as is used."""

    def list_images(self, **asked: object) -> dict[str, Any]:
        """`imageIds`."""

    def batch_delete_image(self, **asked: object) -> dict[str, Any]:
        """`imageIds` that are gone, `failures` of others."""


class Account:
    """The clients of an account in a region, each made when it is first used; credentials are the shell's."""

    def __init__(self, account: str, region: str) -> None:
        self.account, self.region = account, region
        self._session = Session(region_name=region)

    def check(self) -> None:
        """Raises ConfigError unless the shell's credentials are of this account."""
        try:
            found = self._session.client("sts", config=LIMITS).get_caller_identity()["Account"]
        except NoCredentialsError as exc:
            how = "log in, such as by `aws sso login`, and name its profile in AWS_PROFILE"
            raise ConfigError(f"account: the shell has no credentials, the stack is in {self.account}: {how}") from exc
        if found != self.account:
            raise ConfigError(f"account: the shell's credentials are of {found}, the stack is in {self.account}")

    def at(self, region: str) -> Account:
        """The same account in another region."""
        return self if region == self.region else Account(self.account, region)

    @cached_property
    def backup(self) -> BackupClient:
        """Vaults of backups."""
        return self._session.client("backup", config=LIMITS)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Metrics."""
        return self._session.client("cloudwatch", config=LIMITS)

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """Tables."""
        return self._session.client("dynamodb", config=LIMITS)

    @cached_property
    def ec2(self) -> EC2Client:
        """Network interfaces."""
        return self._session.client("ec2", config=LIMITS)

    @cached_property
    def ecr(self) -> ECRClient:
        """Images."""
        return cast("ECRClient", self._session.client("ecr", config=LIMITS))

    @cached_property
    def eks(self) -> EKSClient:
        """Clusters."""
        return self._session.client("eks", config=LIMITS)

    @cached_property
    def balancing(self) -> ElasticLoadBalancingv2Client:
        """Load balancers and target groups."""
        return self._session.client("elbv2", config=LIMITS)

    @cached_property
    def rds(self) -> RDSClient:
        """Databases."""
        return self._session.client("rds", config=LIMITS)

    @cached_property
    def s3(self) -> S3Client:
        """Buckets."""
        return self._session.client("s3", config=LIMITS)

    @cached_property
    def tags(self) -> ResourceGroupsTaggingAPIClient:
        """Everything that has tags."""
        return self._session.client("resourcegroupstaggingapi", config=LIMITS)


@contextmanager
def asked(what: str) -> Iterator[None]:
    """Turn AWS's errors into OpsError that says `what` was asked."""
    try:
        yield
    except (BotoCoreError, ClientError) as exc:
        raise OpsError(f"{what}: {exc}") from exc
