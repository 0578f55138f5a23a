"""The parts there are, and the ways between them."""

from __future__ import annotations

from typing import Final

from infra.cost.estimate import kind_of
from infra.picture import words
from infra.picture.parts import Flow, Kind, Part, counted, says
from infra.plan.graph import Graph

CLUSTER: Final = ("eks/cluster",)
CACHES: Final = ("elasticache/replicationGroup", "elasticache/serverlessCache")
WATCHES: Final = ("cloudwatch/logGroup", "cloudwatch/metricAlarm", "cloudwatch/compositeAlarm", "cloudwatch/dashboard")
VAULTS: Final = ("backup/vault",)
REPLICATED: Final = ("rds/instanceAutomatedBackupsReplication",)
KINDS: Final = (
    Kind("users", "people", 1, "people", "people", "Users", CLUSTER, says("HTTPS"), by_program=False),
    Kind(
        "partners", "people", 2, "people", "people", "Partners", ("apigatewayv2/api",), says("HTTPS"), by_program=False
    ),
    Kind("cdn", "edge", 1, "world", "network", "CloudFront", ("cloudfront/distribution", "wafv2/webAcl"), words.cdn),
    Kind(
        "names",
        "edge",
        0,
        "sign",
        "network",
        "Route 53",
        ("route53/zone", "route53/healthCheck", "route53/record"),
        says("names, health checks,", "failover"),
    ),
    Kind(
        "web",
        "region",
        0,
        "bucket",
        "storage",
        "S3: web page",
        ("cloudfront/originAccessControl",),
        says("only CloudFront reads it"),
    ),
    Kind("api", "region", 2, "door", "network", "API Gateway", ("apigatewayv2/api",), says("HTTP API, VPC link")),
    Kind(
        "balancer",
        "public",
        1,
        "split",
        "network",
        "Application Load Balancer",
        CLUSTER,
        says("weighted target groups: blue, green", "made by the router's Ingress"),
        span=2,
        by_program=False,
    ),
    Kind("nat", "public", 3, "out", "network", "NAT gateway", ("ec2/natGateway", "ec2/eip"), words.ways_out),
    Kind("control", "private", 0, "wheel", "compute", "EKS", (*CLUSTER, "eks/nodeGroup"), words.control),
    Kind(
        "pods",
        "private",
        1,
        "boxes",
        "compute",
        "Task API: slots blue and green",
        CLUSTER,
        says("pods on nodes that Karpenter makes,", "spot and on demand"),
        span=2,
        by_program=False,
    ),
    Kind("endpoints", "private", 3, "plug", "network", "VPC endpoints", ("ec2/vpcEndpoint",), words.endpoints),
    Kind("cache", "isolated", 0, "bolt", "data", "ElastiCache Valkey", CACHES, words.valkey),
    Kind("proxy", "isolated", 1, "pool", "data", "RDS Proxy", ("rds/proxy",), says("pools connections")),
    Kind(
        "database", "isolated", 2, "drum", "data", "RDS PostgreSQL", ("rds/instance",), words.primary, where=words.leads
    ),
    Kind(
        "replicas",
        "isolated",
        3,
        "drum",
        "data",
        "Read replicas",
        ("rds/instance",),
        words.replicas,
        where=words.follows,
    ),
    Kind("topics", "services", 0, "bell", "events", "SNS", ("sns/topic",), counted("topic", "topics")),
    Kind("queues", "services", 0, "queue", "events", "SQS", ("sqs/queue",), counted("queue", "queues")),
    Kind("audit", "services", 0, "table", "data", "DynamoDB", ("dynamodb/table",), counted("table", "tables")),
    Kind(
        "functions",
        "services",
        0,
        "function",
        "compute",
        "Lambda",
        ("lambda/function",),
        counted("function", "functions"),
    ),
    Kind("buckets", "services", 1, "bucket", "storage", "S3", ("s3/bucket",), counted("bucket", "buckets")),
    Kind(
        "exports", "services", 1, "files", "storage", "EFS", ("efs/fileSystem",), counted("file system", "file systems")
    ),
    Kind(
        "images", "services", 1, "image", "compute", "ECR", ("ecr/repository",), counted("repository", "repositories")
    ),
    Kind(
        "keys",
        "services",
        2,
        "key",
        "safety",
        "KMS",
        ("kms/key",),
        counted("key, turned every year", "keys, turned every year"),
    ),
    Kind(
        "secrets",
        "services",
        2,
        "lock",
        "safety",
        "Secrets Manager",
        ("secretsmanager/secret",),
        counted("secret", "secrets"),
    ),
    Kind("watch", "services", 3, "chart", "events", "CloudWatch", WATCHES, words.watched),
    Kind(
        "traces",
        "services",
        3,
        "trace",
        "events",
        "X-Ray",
        ("xray/samplingRule",),
        counted("sampling rule", "sampling rules"),
    ),
    Kind("spending", "services", 3, "coin", "safety", "Budgets", ("budgets/budget",), counted("budget", "budgets")),
    Kind("backups", "services", 4, "copy", "storage", "AWS Backup", ("backup/plan",), counted("plan", "plans")),
    Kind("vaults", "away", 0, "copy", "storage", "AWS Backup", VAULTS, says("copies of each backup"), where=words.away),
    Kind("restore", "away", 1, "drum", "data", "RDS backups", REPLICATED, says("restored to any second")),
    Kind("copies", "away", 2, "key", "safety", "KMS", ("kms/replicaKey",), counted("copy of a key", "copies of keys")),
)
GROUPS: Final = ("Events", "Storage", "Keys and secrets", "Watch", "Recovery")


def parts(graph: Graph) -> list[Part]:
    """The parts of a graph, in the order of KINDS."""
    made = []
    for kind in KINDS:
        found = [each for each in graph.made if kind_of(each) in kind.types and kind.where(each, graph)]
        if found:
            made.append(Part(kind, kind.words(found, graph)))
    return made


FLOWS: Final = (
    Flow("users", "cdn"),
    Flow("users", "balancer", only_without="cdn"),
    Flow("partners", "api"),
    Flow("names", "cdn"),
    Flow("names", "balancer", only_without="cdn"),
    Flow("cdn", "web"),
    Flow("cdn", "balancer"),
    Flow("api", "balancer"),
    Flow("balancer", "pods"),
    Flow("control", "pods"),
    Flow("pods", "nat"),
    Flow("pods", "endpoints"),
    Flow("endpoints", "services"),
    Flow("pods", "cache"),
    Flow("pods", "proxy"),
    Flow("pods", "database", only_without="proxy"),
    Flow("proxy", "database"),
    Flow("database", "replicas"),
    Flow("pods", "replicas", "reads"),
)
