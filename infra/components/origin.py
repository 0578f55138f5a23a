"""The load balancer as the edge sees it: who may come to it, what its Ingress says, and which region answers.

The controller in the cluster makes the load balancer of the router's Ingress, after this program: an Ingress needs the
groups and the certificate from here, and the records here need its name. So `pulumi up` runs twice on a new
environment, the second time with `edge.load_balancer`; nothing looks it up, since a plan has nobody to ask.
"""

from __future__ import annotations

import json
import re
from typing import Final

import pulumi_aws as aws
from pulumi import Input, Output

from infra.components.groups import group
from infra.components.network import Network
from infra.components.site import Component, Site
from infra.components.zone import Zone
from infra.config.base import Region
from infra.config.edge import Edge, LoadBalancer
from infra.errors import ConfigError

PORT: Final = 443
# com.amazonaws.global.cloudfront.origin-facing, as `aws ec2 describe-managed-prefix-lists` names it.
CLOUDFRONT: Final[dict[Region, str]] = {"us-east-1": "pl-3b927c52", "eu-west-1": "pl-4fa04526"}
# Of application load balancers: https://docs.aws.amazon.com/general/latest/gr/elb.html.
ELB_ZONES: Final[dict[Region, str]] = {"us-east-1": "Z35SXDOTRQ7X7K", "eu-west-1": "Z32O12XQLNTSW2"}
CHECKED: Final = "/health"  # a path of the application that asks for no token
CHECK_S: Final = 30
FAILURES: Final = 3
SECRET: Final = "originKey"  # noqa: S105 - the name of the stack's secret
HEADER: Final = "x-origin-key"  # by which the router's chart asks for it: AWS's lists let in everybody's CloudFront
ATTRIBUTES: Final = {
    "idle_timeout.timeout_seconds": "60",  # less than the application keeps connections, 75
    "routing.http.drop_invalid_header_fields.enabled": "true",
    # The application takes the last address for the client's: CloudFront's word, without the load balancer's own.
    "routing.http.xff_header_processing.mode": "preserve",
}


class Origin(Component):
    """`ingress` are the annotations of the router's Ingress; `group` is the load balancer's own security group."""

    def __init__(self, site: Site, network: Network, zone: Zone, edge: Edge) -> None:
        super().__init__("Origin", site)
        self.zone = zone
        # Each list counts as 55 and 25 of the 60 rules that a group may have.
        self.group = self._door(network, "edge", CLOUDFRONT[site.region], "CloudFront")
        checkers = self._door(network, "checkers", edge.checkers, "health checks of Route 53")
        self.ingress = Output.all(self.group, checkers, zone.certificate).apply(lambda each: ingress(*each))
        if edge.load_balancer:
            self._names(edge.load_balancer)
        self.register_outputs({"group": self.group})

    def _door(self, network: Network, part: str, prefixes: str, who: str) -> Output[str]:
        made = group(self, network, part, f"The load balancer: {who}")
        aws.vpc.SecurityGroupIngressRule(
            self.site.name("origin", "in", part),
            security_group_id=made,
            prefix_list_id=prefixes,
            description=f"From {who}",
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            opts=self.child(),
        )
        return made

    def _names(self, balancer: LoadBalancer) -> None:
        """This region's own name, which is checked, and its part in the name that fails over."""
        target = aws.route53.RecordAliasArgs(
            name=balancer.host, zone_id=ELB_ZONES[self.site.region], evaluate_target_health=True
        )
        here = aws.route53.Record(
            self.site.name("origin", "here"),
            zone_id=self.zone.id,
            name=self.zone.here,
            type="A",
            aliases=[target],
            opts=self.child(),
        )
        role = "SECONDARY" if self.zone.second else "PRIMARY"
        aws.route53.Record(
            self.site.name("origin", "name"),
            zone_id=self.zone.id,
            name=self.zone.origin,
            type="A",
            aliases=[target],
            set_identifier=self.site.region,
            failover_routing_policies=[aws.route53.RecordFailoverRoutingPolicyArgs(type=role)],
            health_check_id=self._check(here.fqdn),
            opts=self.child(),
        )

    def _check(self, name: Input[str]) -> Output[str]:
        title = self.site.name("origin", "check")
        return aws.route53.HealthCheck(
            title,
            type="HTTPS",
            fqdn=name,
            port=PORT,
            enable_sni=True,
            resource_path=CHECKED,
            request_interval=CHECK_S,
            failure_threshold=FAILURES,
            tags={"Name": title},
            opts=self.child(),
        ).id


def key(site: Site) -> Output[str]:
    """What the load balancer asks for, of the stack's secrets."""
    return site.secret(SECRET).apply(usable)


def usable(found: str) -> str:
    """The key itself. Raises ConfigError for one that a rule of a load balancer cannot ask for, or that is guessed."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{32,128}", found):
        raise ConfigError(
            f"the secret {SECRET} has {len(found)} characters or odd ones; 32 to 128 letters, digits, - and _ are "
            f"expected: `openssl rand -hex 32 | pulumi config set --secret primetrade:{SECRET}`"
        )
    return found


def ingress(edge: str, checkers: str, certificate: str) -> dict[str, str]:
    """What the Ingress of the load balancer says of itself: the chart value `alb.annotations` of helm/router."""
    said = {
        "scheme": "internet-facing",
        "listen-ports": json.dumps([{"HTTPS": PORT}]),
        "certificate-arn": certificate,
        "ssl-policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "security-groups": f"{edge}, {checkers}",
        "manage-backend-security-group-rules": "true",  # lets the load balancer to the pods
        "load-balancer-attributes": ",".join(f"{key}={value}" for key, value in ATTRIBUTES.items()),
    }
    return {f"alb.ingress.kubernetes.io/{key}": value for key, value in said.items()}
