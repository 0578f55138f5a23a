"""Who hears of money: a budget by month, and cost that is unusual. Both go by the tag `environment`.

The tag must be activated for costs once per organisation: Billing, Cost allocation tags.
"""

from __future__ import annotations

import json
from typing import Final

import pulumi_aws as aws
from pulumi import Input

from infra.components.site import Component, Site

TAG: Final = "environment"
WARNINGS: Final = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))  # percent of the budget


class Spending(Component):
    """Warns on `topic`; Budgets and Cost Explorer are services of the whole account, in no region."""

    def __init__(self, site: Site, topic: Input[str]) -> None:
        super().__init__("Spending", site)
        self._budget(topic)
        if site.platform.watch.anomaly_usd:
            self._anomalies(topic, site.platform.watch.anomaly_usd)

    def _budget(self, topic: Input[str]) -> None:
        name, args = self.site.name("budget"), aws.budgets
        aws.budgets.Budget(
            name,
            name=name,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(self.site.platform.cost.budget),
            limit_unit="USD",
            cost_filters=[
                args.BudgetCostFilterArgs(name="TagKeyValue", values=[f"user:{TAG}${self.site.platform.profile}"])
            ],
            notifications=[
                args.BudgetNotificationArgs(
                    notification_type=kind,
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    comparison_operator="GREATER_THAN",
                    subscriber_sns_topic_arns=[topic],
                )
                for kind, percent in WARNINGS
            ],
            opts=self.child(),
        )

    def _anomalies(self, topic: Input[str], least_usd: int) -> None:
        name, args = self.site.name("anomalies"), aws.costexplorer
        ours = {"Tags": {"Key": TAG, "Values": [self.site.platform.profile], "MatchOptions": ["EQUALS"]}}
        monitor = aws.costexplorer.AnomalyMonitor(
            name, name=name, monitor_type="CUSTOM", monitor_specification=json.dumps(ours), opts=self.child()
        )
        aws.costexplorer.AnomalySubscription(
            f"{name}-heard",
            name=f"{name}-heard",
            frequency="IMMEDIATE",  # the only one by SNS
            monitor_arn_lists=[monitor.arn],
            subscribers=[args.AnomalySubscriptionSubscriberArgs(type="SNS", address=topic)],
            threshold_expression=args.AnomalySubscriptionThresholdExpressionArgs(
                dimension=args.AnomalySubscriptionThresholdExpressionDimensionArgs(
                    key="ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                    values=[str(least_usd)],
                    match_options=["GREATER_THAN_OR_EQUAL"],
                )
            ),
            opts=self.child(),
        )
