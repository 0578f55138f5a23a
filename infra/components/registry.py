"""ECR: images that nobody writes twice, looked through as they come, kept as long as they may run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import pulumi_aws as aws
from pulumi import Output

from infra.components.github import taken_by
from infra.components.iam import allow, policy
from infra.components.keys import Keys
from infra.components.roles import granted
from infra.components.site import Component, Site
from infra.config.registry import Registry as Config

READ: Final = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
WRITE: Final = ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage")
TAGS: Final = "v*"  # of release.yml
UNTAGGED_DAYS: Final = 7  # a push that did not end


class Registry(Component):
    """`url` is release.yml's IMAGE_REPOSITORY, `push` its AWS_PUSH_ROLE."""

    def __init__(self, site: Site, keys: Keys, config: Config) -> None:
        super().__init__("Registry", site)
        self.config = config
        self.name = f"{site.platform.name}/{config.repository}"
        self.url = self._repository(keys)
        if config.copies:
            self._copies(config.copies)
        self.push = self._push(site.platform.github) if site.platform.github else None
        self.register_outputs({"url": self.url})

    def _repository(self, keys: Keys) -> Output[str]:
        title = self.site.name("images")
        made = aws.ecr.Repository(
            title,
            name=self.name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=keys.data)
            ],
            tags={"Name": title},
            opts=self.kept(),
        )
        rules = lifecycle(self.config.keep)
        aws.ecr.LifecyclePolicy(f"{title}-life", repository=made.name, policy=rules, opts=self.child())
        if self.config.readers:
            readers = may_read(self.config.readers)
            aws.ecr.RepositoryPolicy(f"{title}-readers", repository=made.name, policy=readers, opts=self.child())
        return made.repository_url

    def _copies(self, regions: Sequence[str]) -> None:
        """One configuration for the whole registry of the account and region; it names what it copies."""
        args = aws.ecr
        aws.ecr.ReplicationConfiguration(
            self.site.name("images", "copies"),
            replication_configuration=args.ReplicationConfigurationReplicationConfigurationArgs(
                rules=[
                    args.ReplicationConfigurationReplicationConfigurationRuleArgs(
                        destinations=[
                            args.ReplicationConfigurationReplicationConfigurationRuleDestinationArgs(
                                region=region, registry_id=self.site.account
                            )
                            for region in regions
                        ],
                        repository_filters=[
                            args.ReplicationConfigurationReplicationConfigurationRuleRepositoryFilterArgs(
                                filter=self.name, filter_type="PREFIX_MATCH"
                            )
                        ],
                    )
                ]
            ),
            opts=self.child(),
        )

    def _push(self, github: str) -> Output[str]:
        own = may_push(self.site.arn("ecr", f"repository/{self.name}"))
        trust = taken_by(self.site.account, github, f"ref:refs/tags/{TAGS}")
        return granted(self, self.site.name("push", "role"), trust, own=own).arn


def lifecycle(keep: int) -> str:
    """Untagged images go after a week, tagged ones when there are more than `keep`."""
    untagged = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"}
    selections: list[dict[str, object]] = [
        {**untagged, "countNumber": UNTAGGED_DAYS},
        {"tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": keep},
    ]
    rules = [
        {"rulePriority": at, "selection": selection, "action": {"type": "expire"}}
        for at, selection in enumerate(selections, 1)
    ]
    return json.dumps({"rules": rules}, sort_keys=True)


def may_read(accounts: Sequence[str]) -> str:
    """A repository's policy that lets these accounts pull."""
    roots = [f"arn:aws:iam::{account}:root" for account in accounts]
    return policy({"Principal": {"AWS": roots}, "Action": list(READ)})


def may_push(repository: str) -> str:
    """A policy that pushes to one repository."""
    return policy(
        allow(["ecr:GetAuthorizationToken"], ["*"]), allow([*READ, *WRITE, "ecr:DescribeImages"], [repository])
    )
