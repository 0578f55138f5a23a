"""Which requests X-Ray keeps, as its collector (ADOT) asks before it sends."""

from __future__ import annotations

import pulumi_aws as aws

from infra.components.site import Component, Site
from slo.objective import Targets


class Traces(Component):
    """The first ten a second and a share of the rest; slow and failed ones in a group of their own."""

    def __init__(self, site: Site, targets: Targets) -> None:
        super().__init__("Traces", site)
        name, service = site.name("traces"), targets.service
        aws.xray.SamplingRule(
            name,
            rule_name=name[:32],
            priority=1000,
            version=1,
            reservoir_size=10,
            fixed_rate=site.platform.watch.trace_percent / 100,
            service_name=service,
            service_type="*",
            host="*",
            http_method="*",
            url_path="*",
            resource_arn="*",
            opts=self.child(),
        )
        slow_s = min(targets.thresholds_ms()) / 1000
        aws.xray.Group(
            f"{name}-bad",
            group_name=f"{name}-bad"[:32],
            filter_expression=f'service("{service}") AND (fault = true OR responsetime > {slow_s:g})',
            opts=self.child(),
        )
