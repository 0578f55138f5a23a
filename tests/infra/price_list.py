"""A price list in the shape of AWS's, with what is easily mistaken for what is wanted.

Attributes and prices are those of public copies of us-east-1's and eu-west-1's offer files of 2026.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

Row = tuple[
    str, str, dict[str, str], dict[str, str]
]  # service code, region, attributes, first unit of a tier → dollars

EAST, WEST, NOWHERE = "us-east-1", "eu-west-1", ""
ALB, CLASSIC = {"operation": "LoadBalancing:Application"}, {"operation": "LoadBalancing"}
POSTGRES = {"databaseEngine": "PostgreSQL"}
ROWS: Final[tuple[Row, ...]] = (
    ("AmazonCloudFront", NOWHERE, {"usagetype": "US-Requests-Tier2-HTTPS"}, {"0": "0.0000010000"}),
    ("AmazonCloudFront", NOWHERE, {"usagetype": "EU-Requests-Tier2-HTTPS"}, {"0": "0.0000012000"}),
    ("AmazonCloudFront", NOWHERE, {"usagetype": "US-Requests-HTTPS-Proxy"}, {"0": "0.0000010000"}),
    ("AmazonCloudFront", NOWHERE, {"usagetype": "US-DataTransfer-Out-Bytes"}, {"0": "0.0850000000", "10240": "0.0800"}),
    ("AmazonCloudFront", NOWHERE, {"usagetype": "EU-DataTransfer-Out-Bytes"}, {"0": "0.0850000000", "10240": "0.0800"}),
    ("AmazonCloudFront", NOWHERE, {"usagetype": "Global-DataTransfer-Out-Bytes"}, {"0": "0.0000000000"}),
    ("awswaf", EAST, {"usagetype": "USE1-WebACLV2"}, {"0": "5.0000000000"}),
    ("awswaf", EAST, {"usagetype": "USE1-ShieldProtected-WebACLV2"}, {"0": "0.0000000000"}),
    ("awswaf", EAST, {"usagetype": "USE1-RuleV2"}, {"0": "1.0000000000"}),
    ("awswaf", EAST, {"usagetype": "USE1-RequestV2-Tier1"}, {"0": "0.0000006000"}),
    ("awswaf", EAST, {"usagetype": "USE1-RequestV2-Tier2"}, {"0": "0.0000008000"}),
    ("awswaf", WEST, {"usagetype": "EU-RequestV2-Tier1"}, {"0": "0.0000006000"}),
    ("AWSELB", EAST, {"usagetype": "LoadBalancerUsage", **ALB}, {"0": "0.0225000000"}),
    ("AWSELB", EAST, {"usagetype": "LoadBalancerUsage", **CLASSIC}, {"0": "0.0250000000"}),
    ("AWSELB", EAST, {"usagetype": "Outposts-LCUUsage", **ALB}, {"0": "0.0000000000"}),
    ("AWSELB", EAST, {"usagetype": "LCUUsage", **ALB}, {"0": "0.0080000000"}),
    (
        "AmazonS3",
        EAST,
        {"usagetype": "TimedStorage-ByteHrs"},
        {"0": "0.0230000000", "51200": "0.0220", "512000": "0.0210"},
    ),
    ("AmazonS3", EAST, {"usagetype": "TimedStorage-SIA-ByteHrs"}, {"0": "0.0125000000"}),
    ("AmazonS3", EAST, {"usagetype": "Requests-Tier1"}, {"0": "0.0000050000"}),
    ("AmazonS3", EAST, {"usagetype": "Requests-Tier2"}, {"0": "0.0000004000"}),
    ("AmazonS3", WEST, {"usagetype": "EU-TimedStorage-ByteHrs"}, {"0": "0.0230000000", "51200": "0.0220"}),
    ("AmazonVPC", EAST, {"usagetype": "USE1-VpcEndpoint-Hours"}, {"0": "0.0100000000"}),
    ("AmazonVPC", EAST, {"usagetype": "USE1-VpcEndpoint-Bytes"}, {"0": "0.0100000000", "1048576": "0.0060"}),
    ("AmazonVPC", EAST, {"usagetype": "USE1-PublicIPv4:InUseAddress"}, {"0": "0.0050000000"}),
    ("AmazonVPC", EAST, {"usagetype": "USE1-PublicIPv4:IdleAddress"}, {"0": "0.0050000000"}),
    ("AmazonVPC", WEST, {"usagetype": "EU-VpcEndpoint-Hours"}, {"0": "0.0110000000"}),
    ("AmazonCloudWatch", EAST, {"usagetype": "USE1-DataProcessing-Bytes"}, {"0": "0.5000000000"}),
    ("AmazonCloudWatch", EAST, {"usagetype": "CW:AlarmMonitorUsage"}, {"0": "0.1000000000"}),
    ("AmazonCloudWatch", EAST, {"usagetype": "CW:HighResAlarmMonitorUsage"}, {"0": "0.3000000000"}),
    ("AmazonCloudWatch", EAST, {"usagetype": "CW:MetricMonitorUsage"}, {"0": "0.3000000000", "10000": "0.1000"}),
    ("AmazonCloudWatch", NOWHERE, {"usagetype": "DashboardsUsageHour-Basic"}, {"0": "3.0000000000"}),
    ("AWSLambda", EAST, {"usagetype": "Request"}, {"0": "0.0000002000"}),
    ("AWSLambda", EAST, {"usagetype": "Lambda-GB-Second"}, {"0": "0.0000166667", "6000000000": "0.0000150000"}),
    ("AWSLambda", EAST, {"usagetype": "Lambda-GB-Second-ARM"}, {"0": "0.0000133334", "7500000000": "0.0000120001"}),
    ("AWSLambda", WEST, {"usagetype": "EU-Request"}, {"0": "0.0000002000"}),
    (
        "AmazonApiGateway",
        EAST,
        {"usagetype": "USE1-ApiGatewayHttpRequest"},
        {"0": "0.0000010000", "300000000": "0.0000009000"},
    ),
    ("AmazonApiGateway", EAST, {"usagetype": "USE1-ApiGatewayRequest"}, {"0": "0.0000035000"}),
    ("AmazonDynamoDB", EAST, {"usagetype": "WriteRequestUnits"}, {"0": "0.0000006250"}),
    ("AmazonDynamoDB", EAST, {"usagetype": "ReadRequestUnits"}, {"0": "0.0000001250"}),
    ("AmazonDynamoDB", EAST, {"usagetype": "TimedStorage-ByteHrs"}, {"0": "0.0000000000", "25": "0.2500000000"}),
    ("AmazonRDS", EAST, {"usagetype": "RDS:GP3-Storage", **POSTGRES}, {"0": "0.1150000000"}),
    ("AmazonRDS", EAST, {"usagetype": "RDS:Multi-AZ-GP3-Storage", **POSTGRES}, {"0": "0.2300000000"}),
    ("AmazonRDS", EAST, {"usagetype": "RDS:Multi-AZCluster-GP3-Storage", **POSTGRES}, {"0": "0.3450000000"}),
    ("AmazonRDS", EAST, {"usagetype": "RDS:ChargedBackupUsage", **POSTGRES}, {"0": "0.0950000000"}),
    ("AmazonRDS", EAST, {"usagetype": "RDS:ChargedBackupUsage", "databaseEngine": "MySQL"}, {"0": "0.0950000000"}),
    ("awskms", EAST, {"usagetype": "us-east-1-KMS-Keys"}, {"0": "1.0000000000"}),
    ("awskms", EAST, {"usagetype": "us-east-1-KMS-Requests"}, {"0": "0.0000030000"}),
    ("AWSSecretsManager", EAST, {"usagetype": "USE1-AWSSecretsManager-Secrets"}, {"0": "0.4000000000"}),
    ("AWSSecretsManager", EAST, {"usagetype": "USE1-AWSSecretsManagerAPIRequest"}, {"0": "0.0000050000"}),
    ("AWSQueueService", EAST, {"usagetype": "Requests-RBP"}, {"0": "0.0000004000", "100000000000": "0.0000003000"}),
    ("AWSQueueService", EAST, {"usagetype": "Requests-FIFO-RBP"}, {"0": "0.0000005000"}),
    ("AmazonRoute53", NOWHERE, {"usagetype": "HostedZone"}, {"0": "0.5000000000", "25": "0.1000000000"}),
    ("AmazonRoute53", NOWHERE, {"usagetype": "DNS-Queries"}, {"0": "0.0000004000", "1000000000": "0.0000002000"}),
    ("AmazonRoute53", EAST, {"usagetype": "USE1-DNS-Queries"}, {"0": "0.0000004000"}),
    ("AmazonRoute53", NOWHERE, {"usagetype": "Health-Check-AWS"}, {"0": "0.0000000000", "50": "0.5000000000"}),
    (
        "AWSDataTransfer",
        NOWHERE,
        {"usagetype": "DataTransfer-Regional-Bytes", "transferType": "IntraRegion"},
        {"0": "0.0100000000"},
    ),
    (
        "AWSDataTransfer",
        NOWHERE,
        {"usagetype": "DataTransfer-Out-Bytes", "transferType": "AWS Outbound"},
        {"0": "0.0900000000", "10240": "0.0850000000"},
    ),
    ("AWSDataTransfer", NOWHERE, {"usagetype": "USE1-EU-AWS-Out-Bytes"}, {"0": "0.0200000000"}),
    ("AWSDataTransfer", NOWHERE, {"usagetype": "USE1-USE2-AWS-Out-Bytes"}, {"0": "0.0100000000"}),
)


def product(*usd: str, begin: str = "0") -> str:
    """A product of GetProducts with a price dimension for each."""
    return _product("AmazonEC2", {"regionCode": "eu-west-1"}, [(begin, each) for each in usd])


def _product(code: str, attributes: dict[str, str], tiers: Iterable[tuple[str, str]]) -> str:
    dimensions = {
        f"D{at}": {"unit": "Hrs", "beginRange": begin, "endRange": "Inf", "pricePerUnit": {"USD": usd}}
        for at, (begin, usd) in enumerate(tiers)
    }
    return json.dumps(
        {
            "product": {"productFamily": "NAT Gateway", "attributes": {"servicecode": code, **attributes}, "sku": "X"},
            "serviceCode": code,
            "terms": {"OnDemand": {"X.T": {"effectiveDate": "2026-11-01T00:00:00Z", "priceDimensions": dimensions}}},
            "version": "20261120",
            "publicationDate": "2026-11-20T10:00:00Z",
        }
    )


class PriceList:
    """A market with ROWS: it answers what fits every filter, as GetProducts does with TERM_MATCH."""

    def products(self, code: str, filters: dict[str, str]) -> Iterable[str]:
        for offer, region, attributes, tiers in ROWS:
            whole = {**attributes, **({"regionCode": region} if region else {})}
            if offer == code and filters.items() <= whole.items():
                yield _product(code, whole, tiers.items())

    def spot_prices(self, instance: str, region: str) -> Iterable[str]:
        return []
