"""What AWS's Price List API is asked for each row of the book: service code and filters.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-list-query-api.html. Never run against AWS yet: a row
keeps its price and confidence unless the answer is exactly one price near the one it has, so that a wrong filter
changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from infra.cost.book import Price

# How usage types begin: in one region AWS writes it in several ways, by service.
PREFIXES: Final = {
    "us-east-1": ("", "USE1-", "us-east-1-"),
    "eu-west-1": ("EU-", "EUW1-", "eu-west-1-"),
    "united-states": ("US-",),
    "europe": ("EU-",),
    "global": ("",),
}
SHORT: Final = {"us-east-1": "USE1", "eu-west-1": "EU"}  # of a region in a pair of two
OTHER: Final = {"us-east-1": "eu-west-1", "eu-west-1": "us-east-1"}  # where copies go
THOUSAND, MYRIAD, MILLION = 1e3, 1e4, 1e6


class Question(NamedTuple):
    """One call of GetProducts."""

    code: str
    filters: dict[str, str]
    times: float = 1  # AWS's units in one of the book's


Filters = Mapping[str, str]
Asks = Callable[[re.Match[str], str], Iterator[Question]]  # of a name's parts and a place; the likeliest first


def usage(code: str, kind: str, times: float = 1, *, also: Filters | None = None, regional: bool = True) -> Asks:
    """By a usage type, which begins with the region's prefix; parts of the name may stand in it."""

    def asks(found: re.Match[str], place: str) -> Iterator[Question]:
        where = {"regionCode": place} if regional and place in SHORT else {}
        for prefix in PREFIXES[place]:
            yield Question(code, {"usagetype": f"{prefix}{found.expand(kind)}", **(also or {}), **where}, times)

    return asks


def anywhere(code: str, kind: str) -> Asks:
    """By a usage type that is the same in every region."""
    return lambda found, place: iter([Question(code, {"usagetype": kind})])


def filtered(code: str, filters: Filters) -> Asks:
    """By attributes of what is sold; parts of the name may stand in them."""

    def asks(found: re.Match[str], place: str) -> Iterator[Question]:
        yield Question(code, {**{key: found.expand(value) for key, value in filters.items()}, "regionCode": place})

    return asks


def between_regions(found: re.Match[str], place: str) -> Iterator[Question]:
    """From here to where copies go."""
    yield Question("AWSDataTransfer", {"usagetype": f"{SHORT[place]}-{SHORT[OTHER[place]]}-AWS-Out-Bytes"})


def _either(*ways: Asks) -> Asks:
    def asks(found: re.Match[str], place: str) -> Iterator[Question]:
        for each in ways:
            yield from each(found, place)

    return asks


ALB: Final = {"operation": "LoadBalancing:Application"}
POSTGRES: Final = {"databaseEngine": "PostgreSQL"}
MACHINE: Final = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
SNAPSHOTS: Final = usage("AmazonRDS", "RDS:ChargedBackupUsage")
DISK_COPIES: Final = usage("AmazonEC2", "EBS:SnapshotUsage")
OFFERS: Final[dict[str, tuple[tuple[str, Asks], ...]]] = {
    "API Gateway": ((r"HTTP API first 300 million", usage("AmazonApiGateway", "ApiGatewayHttpRequest", MILLION)),),
    "AWS Backup": (
        (r"EBS warm storage", DISK_COPIES),
        (r"EFS warm storage", usage("AWSBackup", "WarmStorage-ByteHrs-EFS")),
        (r"RDS snapshot warm storage", SNAPSHOTS),
    ),
    "CloudFront": (
        (r"HTTPS requests", usage("AmazonCloudFront", "Requests-Tier2-HTTPS", MYRIAD)),
        (r"data out, first 10 TB", usage("AmazonCloudFront", "DataTransfer-Out-Bytes")),
    ),
    "CloudWatch": (
        (r"composite alarm", usage("AmazonCloudWatch", "CW:CompositeAlarmMonitorUsage")),
        (r"custom metric, first 10000", usage("AmazonCloudWatch", "CW:MetricMonitorUsage")),
        (r"dashboard", anywhere("AmazonCloudWatch", "DashboardsUsageHour-Basic")),
        (r"logs ingested \(standard class\)", usage("AmazonCloudWatch", "DataProcessing-Bytes")),
        (r"logs stored", usage("AmazonCloudWatch", "TimedStorage-ByteHrs")),
        (r"standard-resolution alarm", usage("AmazonCloudWatch", "CW:AlarmMonitorUsage")),
    ),
    "Data transfer": (
        (
            r"between zones, each direction",
            usage(
                "AWSDataTransfer", "DataTransfer-Regional-Bytes", also={"transferType": "IntraRegion"}, regional=False
            ),
        ),
        (
            r"out to internet, first 10 TB/month",
            usage("AWSDataTransfer", "DataTransfer-Out-Bytes", also={"transferType": "AWS Outbound"}, regional=False),
        ),
        (r"to other regions", between_regions),
    ),
    "DynamoDB": (
        (r"on-demand read request units", usage("AmazonDynamoDB", "ReadRequestUnits", MILLION)),
        (r"on-demand write request units", usage("AmazonDynamoDB", "WriteRequestUnits", MILLION)),
        (r"point-in-time recovery storage", usage("AmazonDynamoDB", "TimedPITRStorage-ByteHrs")),
        (r"standard table storage", usage("AmazonDynamoDB", "TimedStorage-ByteHrs")),
    ),
    "EBS": ((r"gp3 volume", usage("AmazonEC2", "EBS:VolumeUsage.gp3")), (r"snapshot standard", DISK_COPIES)),
    "EC2": ((r"(\S+) linux on-demand", filtered("AmazonEC2", {"instanceType": r"\1", **MACHINE})),),
    "ECR": ((r"private repository storage", usage("AmazonECR", "TimedStorage-ByteHrs")),),
    "EFS": (
        (r"Elastic throughput read", usage("AmazonEFS", "ETDataAccess-Bytes", also={"accessType": "Read"})),
        (r"Elastic throughput write", usage("AmazonEFS", "ETDataAccess-Bytes", also={"accessType": "Write"})),
        (r"Standard storage", usage("AmazonEFS", "TimedStorage-ByteHrs")),
    ),
    "EKS": (
        (r"Auto Mode surcharge (\S+\.\S+)", usage("AmazonEKS", r"EKS-Auto:\1-management-hours")),
        (r"cluster standard support", usage("AmazonEKS", "AmazonEKS-Hours:perCluster")),
    ),
    "ElastiCache": (
        (r"Valkey node (\S+)", usage("AmazonElastiCache", r"NodeUsage:\1", also={"cacheEngine": "Valkey"})),
    ),
    "ELB": (
        (r"Application Load Balancer", usage("AWSELB", "LoadBalancerUsage", also=ALB)),
        (r"Application Load Balancer LCU", usage("AWSELB", "LCUUsage", also=ALB)),
    ),
    "KMS": (
        (r"customer managed key", usage("awskms", "KMS-Keys")),
        (r"symmetric requests", usage("awskms", "KMS-Requests", MYRIAD)),
    ),
    "Lambda": (
        (r"duration arm64 first tier", usage("AWSLambda", "Lambda-GB-Second-ARM")),
        (r"duration x86 first tier", usage("AWSLambda", "Lambda-GB-Second")),
        (r"requests", usage("AWSLambda", "Request", MILLION)),
    ),
    "RDS": (
        (
            r"PostgreSQL (\S+) single-AZ",
            filtered("AmazonRDS", {"instanceType": r"\1", "deploymentOption": "Single-AZ", **POSTGRES}),
        ),
        (
            r"PostgreSQL (\S+) multi-AZ",
            filtered("AmazonRDS", {"instanceType": r"\1", "deploymentOption": "Multi-AZ", **POSTGRES}),
        ),
        (r"gp3 storage single-AZ", usage("AmazonRDS", "RDS:GP3-Storage", also=POSTGRES)),
        (r"gp3 storage multi-AZ", usage("AmazonRDS", "RDS:Multi-AZ-GP3-Storage", also=POSTGRES)),
        (r"RDS Proxy", usage("AmazonRDS", "RDS:ProxyUsage")),
        (r"backup storage beyond the free allowance", SNAPSHOTS),
    ),
    "Route 53": (
        (r"health check, AWS endpoint", usage("AmazonRoute53", "Health-Check-AWS")),
        (r"health check, each feature, AWS endpoint", usage("AmazonRoute53", "Health-Check-Option-AWS")),
        (r"health check, non-AWS endpoint", usage("AmazonRoute53", "Health-Check-Non-AWS")),
        (r"hosted zone, first 25", usage("AmazonRoute53", "HostedZone")),
        (r"standard queries, first 1 billion", usage("AmazonRoute53", "DNS-Queries", MILLION)),
    ),
    "S3": (
        (r"Standard GET and other", usage("AmazonS3", "Requests-Tier2", THOUSAND)),
        (r"Standard PUT, COPY, POST or LIST", usage("AmazonS3", "Requests-Tier1", THOUSAND)),
        (r"Standard storage first 50 TB", usage("AmazonS3", "TimedStorage-ByteHrs")),
    ),
    "SNS": ((r"standard topic requests .*", usage("AmazonSNS", "Requests-Tier1", MILLION)),),
    "SQS": (
        (
            r"standard queue requests .*",
            _either(
                usage("AWSQueueService", "Requests-RBP", MILLION), usage("AWSQueueService", "Requests-Tier1", MILLION)
            ),
        ),
    ),
    "Secrets Manager": (
        (
            r"API calls",
            _either(
                usage("AWSSecretsManager", "AWSSecretsManagerAPIRequest", MYRIAD),
                usage("AWSSecretsManager", "AWSSecretsManager-APIRequests", MYRIAD),
            ),
        ),
        (r"secret", usage("AWSSecretsManager", "AWSSecretsManager-Secrets")),
    ),
    "VPC": (
        (r"NAT gateway", usage("AmazonEC2", "NatGateway-Hours")),
        (r"NAT gateway data processed", usage("AmazonEC2", "NatGateway-Bytes")),
        (r"interface endpoint data processed .*", usage("AmazonVPC", "VpcEndpoint-Bytes")),
        (r"interface endpoint per zone", usage("AmazonVPC", "VpcEndpoint-Hours")),
        (r"public IPv4 address in use", usage("AmazonVPC", "PublicIPv4:InUseAddress")),
    ),
    "WAF": (
        (r"requests \(up to 1500 WCU\)", usage("awswaf", "RequestV2-Tier1", MILLION)),
        (r"rule", usage("awswaf", "RuleV2")),
        (r"web ACL", usage("awswaf", "WebACLV2")),
    ),
    "X-Ray": ((r"traces recorded", usage("AWSXRay", "XRay-TracesStored", MILLION)),),
}


def questions(price: Price) -> list[Question]:
    """What to ask for a row, until something is sold under it; none where nobody has said how."""
    for pattern, asks in OFFERS.get(price.service, ()):
        found = re.fullmatch(pattern, price.sku)
        if found and price.region in PREFIXES:
            return list(asks(found, price.region))
    return []
