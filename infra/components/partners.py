"""Partners' way in: an HTTP API that checks their own token and limits them, by a VPC link to the load balancer.

Their token comes in X-Partner-Token, so that Authorization stays the user's, which the application checks.
"""

from __future__ import annotations

from typing import Final

import pulumi_aws as aws
from pulumi import Input

from infra.components.groups import group, let_in, let_out
from infra.components.keys import Keys
from infra.components.network import Network
from infra.components.origin import HEADER, PORT, key
from infra.components.site import Component, Site
from infra.config.partners import Partners as Config

LINE: Final = '{"id":"$context.requestId","ip":"$context.identity.sourceIp","route":"$context.routeKey","status":"$context.status","partner":"$context.authorizer.claims.sub"}'  # noqa: E501 - one line of the log


class Partners(Component):
    """`url` is what they call; `door` is the load balancer's group, `name` the one in its certificate."""

    def __init__(
        self, site: Site, keys: Keys, network: Network, config: Config, door: tuple[Input[str], str, str]
    ) -> None:
        super().__init__("Partners", site)
        balancer, name, listener = door
        own = group(self, network, "partners", "The link of partners")
        let_out(self, own, balancer, PORT, "balancer")
        let_in(self, balancer, own, PORT, "link")
        title, args = site.name("partners"), aws.apigatewayv2
        link = args.VpcLink(
            f"{title}-link",
            subnet_ids=list(network.subnets["private"].values()),
            security_group_ids=[own],
            opts=self.child(),
        )
        api = args.Api(title, protocol_type="HTTP", tags={"Name": title}, opts=self.child())
        to = args.Integration(
            f"{title}-to",
            api_id=api.id,
            integration_type="HTTP_PROXY",
            integration_method="ANY",
            integration_uri=listener,
            connection_type="VPC_LINK",
            connection_id=link.id,
            payload_format_version="1.0",
            request_parameters={f"overwrite:header.{HEADER}": key(site)},
            tls_config={"server_name_to_verify": name},
            opts=self.child(),
        )
        checks = args.Authorizer(
            f"{title}-token",
            api_id=api.id,
            authorizer_type="JWT",
            identity_sources=["$request.header.X-Partner-Token"],
            jwt_configuration={"issuer": config.issuer, "audiences": [config.audience]},
            opts=self.child(),
        )
        args.Route(
            f"{title}-all",
            api_id=api.id,
            route_key="$default",
            target=to.id.apply(lambda each: f"integrations/{each}"),
            authorization_type="JWT",
            authorizer_id=checks.id,
            opts=self.child(),
        )
        logs = aws.cloudwatch.LogGroup(
            f"{title}-log", retention_in_days=site.platform.log_days, kms_key_id=keys.logs, opts=self.child()
        )
        args.Stage(
            f"{title}-stage",
            api_id=api.id,
            name="$default",
            auto_deploy=True,
            default_route_settings={"throttling_rate_limit": config.rate, "throttling_burst_limit": 2 * config.rate},
            access_log_settings={"destination_arn": logs.arn, "format": LINE},
            opts=self.child(),
        )
        self.url = api.api_endpoint
        self.register_outputs({"url": self.url})
