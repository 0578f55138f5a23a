"""Names and their certificates: a hosted zone, and certificates that it proves."""

from __future__ import annotations

from typing import Final

import pulumi_aws as aws
from pulumi import Input, Output

from infra.components.site import Component, Site
from infra.config.edge import ORIGIN, Edge
from infra.config.platform import Profile

GLOBAL: Final = "us-east-1"  # where CloudFront's certificates and firewalls are, wherever its origins are
PROOF_S: Final = 300


class Zone(Component):
    """`id` is the zone, `public` the name that users write, `origin` the one that CloudFront asks."""

    def __init__(self, site: Site, edge: Edge) -> None:
        super().__init__("Zone", site)
        self.second = site.platform.profile is Profile.DR
        self.public = f"{edge.host}.{edge.zone}"
        self.origin = f"{ORIGIN}.{edge.zone}"  # whichever region answers
        self.here = f"{site.region}.{self.origin}"  # this region, well or not
        self.id: Input[str] = edge.zone_id or self._zone(edge.zone)
        self.certificate = self._certificate("origin", self.origin, site.region)
        self.register_outputs({"id": self.id})

    def front(self) -> Output[str]:
        """The ARN of CloudFront's certificate."""
        return self._certificate("public", self.public, GLOBAL)

    def _zone(self, name: str) -> Output[str]:
        return aws.route53.Zone(
            self.site.name("zone"), name=name, tags={"Name": self.site.name("zone")}, opts=self.kept()
        ).zone_id

    def _certificate(self, part: str, name: str, region: str) -> Output[str]:
        """One name each, so that there is one record that proves it."""
        title = self.site.name("certificate", part)
        made = aws.acm.Certificate(
            title,
            domain_name=name,
            validation_method="DNS",
            key_algorithm="EC_prime256v1",
            region=region,
            tags={"Name": title},
            opts=self.child(),
        )
        return aws.acm.CertificateValidation(
            f"{title}-proven",
            certificate_arn=made.arn,
            validation_record_fqdns=self._proof(title, made),
            region=region,
            opts=self.child(),
        ).certificate_arn

    def _proof(self, title: str, made: aws.acm.Certificate) -> list[Input[str]] | None:
        """The record is the same for one name in all regions of an account, and production made it.

        https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html.
        """
        if self.second:
            return None
        asked = made.domain_validation_options[0]
        record = aws.route53.Record(
            f"{title}-proof",
            zone_id=self.id,
            name=asked.resource_record_name,
            type=asked.resource_record_type,
            records=[asked.resource_record_value],
            ttl=PROOF_S,
            opts=self.child(),
        )
        return [record.fqdn]
