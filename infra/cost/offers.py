"""What AWS's Price List API is asked for each row of the book: service code and filters.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-list-query-api.html. Never run against AWS yet: a row
keeps its price and confidence unless the answer is exactly one price, so that a wrong filter changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from infra.cost.book import Price

PREFIX: Final = {"us-east-1": "", "eu-west-1": "EU-"}  # of usage types
EKS_PREFIX: Final = {"us-east-1": "USE1-", "eu-west-1": "EUW1-"}


class Question(NamedTuple):
    """One call of GetProducts; `also` are filters beside the region."""

    code: str
    also: dict[str, str]


Asks = Callable[[re.Match[str], str], Question]  # of a name's parts and a region


def usage(code: str, kind: str, prefixes: dict[str, str] = PREFIX) -> Asks:
    """By a usage type, which begins with the region's prefix."""
    return lambda found, region: Question(code, {"usagetype": f"{prefixes[region]}{kind}"})


def machine(found: re.Match[str], region: str) -> Question:
    """A machine by the hour on demand."""
    plain = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
    return Question("AmazonEC2", {"instanceType": found[1], **plain})


def database(found: re.Match[str], region: str) -> Question:
    """A database by the hour."""
    return Question(
        "AmazonRDS", {"instanceType": found[1], "databaseEngine": "PostgreSQL", "deploymentOption": ZONES[found[2]]}
    )


def database_storage(found: re.Match[str], region: str) -> Question:
    """Storage of a database."""
    kind = {"volumeType": "General Purpose-GP3", "databaseEngine": "PostgreSQL"}
    return Question("AmazonRDS", {**kind, "deploymentOption": ZONES[found[1]]})


def node(found: re.Match[str], region: str) -> Question:
    """A node of a cache by the hour."""
    return Question("AmazonElastiCache", {"instanceType": found[1], "cacheEngine": "Valkey"})


ZONES: Final = {"single-AZ": "Single-AZ", "multi-AZ": "Multi-AZ"}  # our names, AWS's
OFFERS: Final[tuple[tuple[str, str, Asks], ...]] = (
    ("EC2", r"(\S+) linux on-demand", machine),
    ("RDS", r"PostgreSQL (\S+) (single-AZ|multi-AZ)", database),
    ("RDS", r"gp3 storage (single-AZ|multi-AZ)", database_storage),
    ("RDS", r"RDS Proxy", usage("AmazonRDS", "RDS:ProxyUsage")),
    ("ElastiCache", r"Valkey node (\S+)", node),
    ("EKS", r"cluster standard support", usage("AmazonEKS", "AmazonEKS-Hours:perCluster", EKS_PREFIX)),
    ("VPC", r"NAT gateway", usage("AmazonEC2", "NatGateway-Hours")),
    ("VPC", r"NAT gateway data processed", usage("AmazonEC2", "NatGateway-Bytes")),
    ("VPC", r"interface endpoint per zone", usage("AmazonVPC", "VpcEndpoint-Hours")),
    ("VPC", r"public IPv4 address in use", usage("AmazonVPC", "PublicIPv4:InUseAddress")),
    ("ELB", r"Application Load Balancer", usage("AWSELB", "LoadBalancerUsage")),
    ("ELB", r"Application Load Balancer LCU", usage("AWSELB", "LCUUsage")),
    ("EBS", r"gp3 volume", usage("AmazonEC2", "EBS:VolumeUsage.gp3")),
    ("CloudWatch", r"logs ingested \(standard class\)", usage("AmazonCloudWatch", "DataProcessing-Bytes")),
    ("CloudWatch", r"logs stored", usage("AmazonCloudWatch", "TimedStorage-ByteHrs")),
    ("ECR", r"private repository storage", usage("AmazonECR", "TimedStorage-ByteHrs")),
)


def question(price: Price) -> Question | None:
    """What to ask for a row; None where nobody has said how."""
    for service, pattern, asks in OFFERS:
        found = re.fullmatch(pattern, price.sku)
        if service == price.service and found and price.region in PREFIX:
            asked = asks(found, price.region)
            return Question(asked.code, {**asked.also, "regionCode": price.region})
    return None
