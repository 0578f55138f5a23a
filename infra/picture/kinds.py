"""The parts there are, and the ways between them."""

from __future__ import annotations

from typing import Final

from infra.cost.estimate import kind_of
from infra.picture.parts import Flow, Kind, Part, counted, says, text
from infra.plan.graph import Graph, Resource

Found = list[Resource]


def _first(found: Found, kind: str) -> Resource:
    return next(each for each in found if f":{kind}:" in each.type)


def cdn(found: Found, graph: Graph) -> tuple[str, ...]:
    """CloudFront with its firewall."""
    acl = graph.of("wafv2/webAcl")
    rules = acl[0].inputs.get("rules") if acl else None
    return (f"WAF: {len(rules)} rules" if isinstance(rules, list) else "no firewall", "TLS, cache")


def ways_out(found: Found, graph: Graph) -> tuple[str, ...]:
    """How private subnets get out."""
    gateways = graph.of("ec2/natGateway")
    if any(text(each, "availabilityMode") == "regional" for each in gateways):
        return ("regional: every zone",)
    return ("one for all zones" if len(gateways) == 1 else f"one in each of {len(gateways)} zones",)


def endpoints(found: Found, graph: Graph) -> tuple[str, ...]:
    """Private ways to AWS's services; gateways cost nothing."""
    kinds = [text(each, "vpcEndpointType") for each in found]
    counts = [(kinds.count(kind), words) for kind, words in ENDPOINTS.items()]
    return (", ".join(f"{count} {words}" for count, words in counts if count),)


ENDPOINTS: Final = {"Interface": "interfaces", "Gateway": "gateways"}


def control(found: Found, graph: Graph) -> tuple[str, ...]:
    """The control plane and the nodes it begins with."""
    cluster, groups = _first(found, "eks/cluster"), graph.of("eks/nodeGroup")
    lines = [f"Kubernetes {text(cluster, 'version')}"]
    for group in groups:
        scaling, types = group.inputs.get("scalingConfig"), group.inputs.get("instanceTypes")
        if isinstance(scaling, dict) and isinstance(types, list):
            lines.append(f"{scaling['desiredSize']} {types[0]} for the system")
    return tuple(lines) if groups else (*lines, "Auto Mode")


def primary(found: Found, graph: Graph) -> tuple[str, ...]:
    """The instance that takes writes, or follows another region."""
    first = found[0]
    zones = ", Multi-AZ" if first.inputs.get("multiAz") else ""
    source = text(first, "replicateSourceDb")
    size = f"{text(first, 'allocatedStorage')} to {text(first, 'maxAllocatedStorage')} GB"
    return f"{text(first, 'instanceClass')}{zones}", f"follows {source.split(':')[3]}" if ":" in source else size


def valkey(found: Found, graph: Graph) -> tuple[str, ...]:
    """Nodes, or none where it is paid by use."""
    nodes = [each for each in found if "nodeType" in each.inputs]
    if not nodes:
        return ("serverless", "TLS, named users")
    return f"{text(nodes[0], 'numCacheClusters')} {text(nodes[0], 'nodeType')}", "TLS, named users"


def leads(resource: Resource) -> bool:
    """Whether it is the instance that takes writes here, or will once it is promoted."""
    return not follows(resource)


def follows(resource: Resource) -> bool:
    """Whether it follows an instance of this region."""
    source = text(resource, "replicateSourceDb")
    return bool(source) and ":" not in source


def replicas(found: Found, graph: Graph) -> tuple[str, ...]:
    """How many follow the primary."""
    return f"{len(found)} {text(found[0], 'instanceClass')}", "follow the primary"


def watched(found: Found, graph: Graph) -> tuple[str, ...]:
    """Alarms, pages and log groups."""
    alarms = len(graph.of("cloudwatch/metricAlarm", "cloudwatch/compositeAlarm"))
    return (f"{alarms} alarms, {len(graph.of('cloudwatch/logGroup'))} log groups",)


CLUSTER: Final = ("eks/cluster",)
CACHES: Final = ("elasticache/replicationGroup", "elasticache/serverlessCache")
WATCHES: Final = ("cloudwatch/logGroup", "cloudwatch/metricAlarm", "cloudwatch/compositeAlarm", "cloudwatch/dashboard")
KINDS: Final = (
    Kind("users", "people", 1, "people", "people", "Users", CLUSTER, says("HTTPS"), by_program=False),
    Kind(
        "partners", "people", 2, "people", "people", "Partners", ("apigatewayv2/api",), says("HTTPS"), by_program=False
    ),
    Kind("cdn", "edge", 1, "world", "network", "CloudFront", ("cloudfront/distribution", "wafv2/webAcl"), cdn),
    Kind(
        "names",
        "edge",
        3,
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
    Kind("nat", "public", 3, "out", "network", "NAT gateway", ("ec2/natGateway", "ec2/eip"), ways_out),
    Kind("control", "private", 0, "wheel", "compute", "EKS", (*CLUSTER, "eks/nodeGroup"), control),
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
    Kind("endpoints", "private", 3, "plug", "network", "VPC endpoints", ("ec2/vpcEndpoint",), endpoints),
    Kind("cache", "isolated", 0, "bolt", "data", "ElastiCache Valkey", CACHES, valkey),
    Kind("proxy", "isolated", 1, "pool", "data", "RDS Proxy", ("rds/proxy",), says("pools connections")),
    Kind("database", "isolated", 2, "drum", "data", "RDS PostgreSQL", ("rds/instance",), primary, where=leads),
    Kind("replicas", "isolated", 3, "drum", "data", "Read replicas", ("rds/instance",), replicas, where=follows),
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
    Kind("watch", "services", 3, "chart", "events", "CloudWatch", WATCHES, watched),
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
    Kind(
        "away",
        "services",
        4,
        "key",
        "safety",
        "Key copies",
        ("kms/replicaKey",),
        counted("in the other region", "in the other region"),
    ),
)
GROUPS: Final = ("Events", "Storage", "Keys and secrets", "Watch", "Recovery")


def parts(graph: Graph) -> list[Part]:
    """The parts of a graph, in the order of KINDS."""
    made = []
    for kind in KINDS:
        found = [each for each in graph.made if kind_of(each) in kind.types and kind.where(each)]
        if found:
            made.append(Part(kind, kind.words(found, graph)))
    return made


FLOWS: Final = (
    Flow("users", "cdn"),
    Flow("users", "balancer", only_without="cdn"),
    Flow("partners", "api"),
    Flow("names", "cdn"),
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
