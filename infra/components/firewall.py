"""The web firewall before CloudFront: AWS's own rules, a limit per address, and a log."""

from __future__ import annotations

from typing import Final

import pulumi_aws as aws
from pulumi import Output

from infra.components.iam import policy
from infra.components.keys import Keys
from infra.components.site import Component, Site
from infra.components.zone import GLOBAL
from infra.config.edge import Edge

# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html, in the order they are asked.
GROUPS: Final = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesSQLiRuleSet",
    "AWSManagedRulesCommonRuleSet",
)
# Counted and let through: bodies over 8 KB, since the application takes 64; and SQL or HTML in bodies, since people
# write such words into tasks, which the application binds as parameters and gives back as JSON.
COUNTED: Final = {
    "AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY", "CrossSiteScripting_BODY"),
    "AWSManagedRulesSQLiRuleSet": ("SQLi_BODY",),
}


class Firewall(Component):
    """`arn` is what a distribution names."""

    def __init__(self, site: Site, keys: Keys, edge: Edge) -> None:
        super().__init__("Firewall", site)
        name = site.name("firewall")
        acl = aws.wafv2.WebAcl(
            name,
            scope="CLOUDFRONT",
            region=GLOBAL,
            description=f"{site.prefix}: before CloudFront",
            default_action={"allow": {}},
            rules=[_limit(edge.requests), *(_managed(at, group) for at, group in enumerate(GROUPS, 1))],
            visibility_config=_counted("firewall"),
            tags={"Name": name},
            opts=self.child(),
        )
        self.arn = acl.arn
        self._log(keys)
        self.register_outputs({"arn": self.arn})

    def _log(self, keys: Keys) -> None:
        """What it refused or counted; what it let through stands in the application's own log."""
        name = f"aws-waf-logs-{self.site.prefix}"  # begins as AWS wants
        group = aws.cloudwatch.LogGroup(
            name,
            name=name,
            retention_in_days=self.site.platform.log_days,
            kms_key_id=keys.logs,
            region=GLOBAL,
            opts=self.child(),
        )
        may = aws.cloudwatch.LogResourcePolicy(
            f"{name}-may",
            policy_name=name,
            policy_document=Output.all(group.arn, self.site.account).apply(lambda each: may_deliver(*each)),
            region=GLOBAL,
            opts=self.child(),
        )
        aws.wafv2.WebAclLoggingConfiguration(
            self.site.name("firewall", "log"),
            resource_arn=self.arn,
            log_destination_configs=[group.arn],
            logging_filter={
                "default_behavior": "DROP",
                "filters": [
                    {
                        "behavior": "KEEP",
                        "requirement": "MEETS_ANY",
                        "conditions": [{"action_condition": {"action": each}} for each in ("BLOCK", "COUNT")],
                    }
                ],
            },
            redacted_fields=[{"single_header": {"name": header}} for header in ("authorization", "cookie")],
            region=GLOBAL,
            opts=self.child(may),
        )


def may_deliver(group: str, account: str) -> str:
    """A policy that lets AWS's delivery of logs, for this account, into one log group."""
    return policy(
        {
            "Principal": {"Service": "delivery.logs.amazonaws.com"},
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"{group}:*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
    )


def _counted(name: str) -> aws.wafv2.WebAclRuleVisibilityConfigArgsDict:
    return {"cloudwatch_metrics_enabled": True, "metric_name": name, "sampled_requests_enabled": True}


def _limit(requests: int) -> aws.wafv2.WebAclRuleArgsDict:
    """First, since it costs least: refuse an address that floods, long after the application has said 429."""
    return {
        "name": "flood",
        "priority": 0,
        "action": {"block": {}},
        "statement": {
            "rate_based_statement": {"aggregate_key_type": "IP", "limit": requests, "evaluation_window_sec": 300}
        },
        "visibility_config": _counted("flood"),
    }


def _managed(priority: int, group: str) -> aws.wafv2.WebAclRuleArgsDict:
    return {
        "name": group,
        "priority": priority,
        "override_action": {"none": {}},
        "statement": {
            "managed_rule_group_statement": {
                "vendor_name": "AWS",
                "name": group,
                "rule_action_overrides": [
                    {"name": rule, "action_to_use": {"count": {}}} for rule in COUNTED.get(group, ())
                ],
            }
        },
        "visibility_config": _counted(group),
    }
