"""What the platform tells the programs after it, and the people who run them: a contract, tested on every stack.

Who reads what, by file and words: infra/plan/consumers.py.
"""

from __future__ import annotations

from typing import NamedTuple

from pulumi import Input


class Outputs(NamedTuple):
    """Each is exported under its name; behind it stands who reads it."""

    region: str  # the addons program
    vpc: Input[str]  # the addons program: the load balancer controller
    private_subnets: list[Input[str]]  # the addons program: nodes
    database_host: Input[str]  # the chart's Secret, in DATABASE_URL
    database_readers: list[Input[str]]  # nobody yet: a setting of the application, when it reads apart
    database_clients: Input[str]  # the group of nodes and pods that connect
    database_arn: Input[str]  # the second region's database.replica_of
    cache_host: Input[str]  # the chart's Secret, in REDIS_URL
    cache_secret: Input[str]  # external-secrets, for REDIS_URL
    cache_clients: Input[str]  # the group of nodes and pods that connect
    cluster_name: Input[str]  # the addons program; release.yml's EKS_CLUSTER
    cluster_endpoint: Input[str]  # the addons program: its provider
    cluster_ca: Input[str]  # as above
    node_groups: list[Input[str]]  # the addons program: security groups of the nodes
    app_secret: Input[str]  # external-secrets: what only the application knows
    app_role: Input[str]  # who makes something for the application's pods gives it the right
    # Not on every stack:
    database_secret: Input[str] | None = None  # external-secrets, for the migration's OWNER_DATABASE_URL
    database_app_secret: Input[str] | None = None  # external-secrets, for DATABASE_URL
    node_profile: Input[str] | None = None  # the addons program: Karpenter's nodes are started with it
    node_role: Input[str] | None = None  # the addons program: Auto Mode's nodes have it
    interruptions: Input[str] | None = None  # the addons program: Karpenter's queue
    archive_bucket: Input[str] | None = None  # whoever brings a new package of the function, or reads old tasks
    events_topic: Input[str] | None = None  # nobody yet: a setting of the application, when it speaks
    audit_table: Input[str] | None = None  # as above, when it keeps an audit
    exports_point: Input[str] | None = None  # as above, a volume of the chart
    partners_url: Input[str] | None = None  # nobody yet: partners, when they have tokens
    zone: Input[str] | None = None  # the second region's edge.zone_id; the registrar, by its name servers
    ingress: Input[dict[str, str]] | None = None  # the router's chart: alb.annotations
    static_bucket: Input[str] | None = None  # whoever deploys static files, under static/
    distribution: Input[str] | None = None  # as above, to invalidate them
    image_repository: Input[str] | None = None  # release.yml's IMAGE_REPOSITORY
    push_role: Input[str] | None = None  # release.yml's AWS_PUSH_ROLE
    release_role: Input[str] | None = None  # AWS_DEPLOY_ROLE of release.yml and operate.yml
