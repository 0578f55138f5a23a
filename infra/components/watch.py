"""Alarms on users' targets and on what is nearly full, and the board that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi import Input
from pulumi_aws.cloudwatch import MetricAlarm, MetricAlarmMetricQueryArgs, MetricAlarmMetricQueryMetricArgs

from infra.components import burning, dashboard, saturation
from infra.components.burning import Window
from infra.components.saturation import PERIOD_S, Full
from infra.components.silence import CLOUDFRONT, FAILED_MINUTES, FAILED_PERCENT, seen, users
from infra.components.site import Component, Site
from infra.config.platform import Profile
from slo.objective import Targets

RDS, CACHE, QUEUES = "AWS/RDS", "AWS/ElastiCache", "AWS/SQS"
EVENTS: Final = ("availability", "deletion", "failover", "failure", "low storage", "recovery", "restoration")
# `primetrade infra deploy` sends 1 a minute while it deploys; nobody is called for a database that it restarts.
DEPLOYS: Final = ("primetrade/Deploys", "Running", "Environment")
QUIET_S: Final = 120  # that alarms wait for word of a deploy, and stay quiet after it
SILENT_MINUTES: Final = 15  # without a user's request, after which production is lost to its users


class Watch(Component):
    """Says on `topic` what is wrong; users come by `distribution` where there is one.

    Call `database`, `cache` and `unread` for what shall be watched, then `board`.
    """

    def __init__(self, site: Site, topic: Input[str], targets: Targets, distribution: Input[str] | None = None) -> None:
        super().__init__("Watch", site)
        self.topic, self.targets, self.distribution = topic, targets, distribution
        self.alarms: list[str] = []  # names of those that somebody hears
        self.graphs: list[dashboard.Graph] = []
        self.deploying = self._deploying()
        if site.platform.edge and site.platform.edge.load_balancer:
            self._users(site.platform.edge.load_balancer.metrics_name)

    def database(self, names: Sequence[str], proxy: str | None, made: Sequence[pulumi.Resource]) -> None:
        """Watch instances of RDS, of which the first is the primary, and the proxy before it.

        `made` are the same instances: RDS takes no subscription to one that it has not.
        """
        full = saturation.of_database(self.site.platform.database)
        every: list[MetricAlarm] = []
        for name in names:
            lag = (saturation.LAG,) if name != names[0] or self.site.platform.database.replica_of else ()
            every += [self._full(RDS, "DBInstanceIdentifier", name, each) for each in (*full, *lag)]
        if proxy:
            every += [self._full(RDS, "ProxyName", proxy, each) for each in saturation.PROXY]
        self._part("database", every)
        self.graphs += dashboard.resources("Database", RDS, "DBInstanceIdentifier", names, full)
        aws.rds.EventSubscription(
            self.site.name("database", "events"),
            sns_topic=self.topic,
            source_type="db-instance",
            source_ids=list(names),
            event_categories=list(EVENTS),
            opts=self.child(*made),
        )

    def cache(self, nodes: Sequence[str]) -> None:
        """Watch the nodes of a cache, or the one name of a serverless one."""
        config = self.site.platform.cache
        dimension = "CacheClusterId" if config.mode == "nodes" else "clusterId"
        full = saturation.of_cache(config)
        self._part("cache", [self._full(CACHE, dimension, node, each) for node in nodes for each in full])
        self.graphs += dashboard.resources("Cache", CACHE, dimension, nodes, full)

    def unread(self, queues: Sequence[str]) -> None:
        """Watch queues in which nothing should ever be."""
        every = [self._full(QUEUES, "QueueName", name, saturation.UNREAD) for name in queues]
        rule = " OR ".join(on(each.pulumi_resource_name) for each in every)
        self._heard("events-unread", rule, "An event was put aside: its queue keeps it for 14 days", every)
        self.graphs += dashboard.resources("Events", QUEUES, "QueueName", queues, (saturation.UNREAD,))

    def board(self) -> None:
        """Make the dashboard of all that is watched by now."""
        arns = [self.site.arn("cloudwatch", f"alarm:{name}") for name in self.alarms]
        text = dashboard.body(self.site.region, arns, self.graphs)
        aws.cloudwatch.Dashboard(
            self.site.name("board"), dashboard_name=self.site.prefix, dashboard_body=text, opts=self.child()
        )

    def _users(self, balancer: str) -> None:
        for alarm in burning.alarms(self.targets):
            pairs = [[self._window(each, balancer) for each in pair] for pair in alarm.pairs]
            names = [[self.site.name(each.name) for each in pair] for pair in alarm.pairs]
            rule = " OR ".join(f"({' AND '.join(map(on, pair))})" for pair in names)
            self._heard(alarm.name, rule, alarm.words, [each for pair in pairs for each in pair])
        self.graphs += dashboard.traffic(balancer, self.targets)
        if self.site.platform.profile is Profile.PROD:  # the second region has no users until it takes over
            self._lost(balancer)

    def _window(self, window: Window, balancer: str) -> MetricAlarm:
        queries = [
            MetricAlarmMetricQueryArgs(
                id=each.id,
                metric=MetricAlarmMetricQueryMetricArgs(
                    namespace=burning.NAMESPACE,
                    metric_name=each.name,
                    stat=each.stat,
                    period=window.period_s,
                    dimensions={"LoadBalancer": balancer},
                ),
            )
            for each in window.metrics
        ]
        share = MetricAlarmMetricQueryArgs(id="bad", expression=window.expression, label="bad share", return_data=True)
        return self._alarm(
            self.site.name(window.name),
            metric_queries=[*queries, share],
            threshold=window.threshold,
            evaluation_periods=1,
        )

    def _lost(self, balancer: str) -> None:
        """Users who do not come, and users who come to CloudFront and no further."""
        front = seen(self.site.region, self.distribution)
        for part, count in users(balancer, front).items():
            self._minutes(
                part,
                alarm_description=f"No request of a user for {SILENT_MINUTES} minutes ({count.namespace})",
                namespace=count.namespace,
                metric_name=count.name,
                dimensions=count.dimensions,
                statistic="Sum",
                evaluation_periods=SILENT_MINUTES,
                comparison_operator="LessThanThreshold",
                threshold=count.least,
                treat_missing_data="breaching",  # nothing is counted where nothing came
            )
        if front:
            self._minutes(
                "edge-failed",
                alarm_description=f"CloudFront failed over {FAILED_PERCENT} % of requests for {FAILED_MINUTES} minutes",
                namespace=CLOUDFRONT,
                metric_name="5xxErrorRate",
                dimensions=front,
                statistic="Average",
                evaluation_periods=FAILED_MINUTES,
                threshold=FAILED_PERCENT,
            )

    def _minutes(self, part: str, **args: Any) -> None:
        """An alarm on single minutes that calls by itself."""
        name = self.site.name(part)
        self._alarm(name, period=60, alarm_actions=[self.topic], ok_actions=[self.topic], **args)
        self.alarms.append(name)

    def _deploying(self) -> MetricAlarm:
        namespace, metric, dimension = DEPLOYS
        return self._alarm(
            self.site.name("deploying"),
            alarm_description="The platform is being deployed: no alarm, but others keep quiet meanwhile",
            namespace=namespace,
            metric_name=metric,
            dimensions={dimension: self.site.platform.profile},
            statistic="Maximum",
            period=60,
            evaluation_periods=1,
            threshold=0,
        )

    def _full(self, namespace: str, dimension: str, value: str, full: Full) -> MetricAlarm:
        return self._alarm(
            f"{value}-{full.metric}",
            alarm_description=f"{value}: {full.words}",
            namespace=namespace,
            metric_name=full.metric,
            dimensions={dimension: value},
            statistic=full.stat,
            period=PERIOD_S,
            evaluation_periods=full.periods,
            comparison_operator="LessThanThreshold" if full.below else "GreaterThanThreshold",
            threshold=full.threshold,
        )

    def _alarm(self, name: str, **args: Any) -> MetricAlarm:
        common = {"comparison_operator": "GreaterThanThreshold", "treat_missing_data": "notBreaching"}
        return MetricAlarm(name, name=name, opts=self.child(), **{**common, **args})

    def _part(self, part: str, alarms: Sequence[MetricAlarm]) -> None:
        """One alarm of a part's many, so that one cause calls once; quiet while the platform is deployed."""
        names = [each.pulumi_resource_name for each in alarms]
        rule = " OR ".join(map(on, names))
        self._heard(f"{part}-full", rule, f"The {part} is nearly full", alarms, self.deploying)

    def _heard(
        self, part: str, rule: str, words: str, alarms: Sequence[MetricAlarm], unless: MetricAlarm | None = None
    ) -> None:
        name = self.site.name(part)
        quiet = aws.cloudwatch.CompositeAlarmActionsSuppressorArgs
        aws.cloudwatch.CompositeAlarm(
            name,
            alarm_name=name,
            alarm_rule=rule,
            alarm_description=words,
            alarm_actions=[self.topic],
            ok_actions=[self.topic],
            actions_suppressor=quiet(alarm=unless.name, wait_period=QUIET_S, extension_period=QUIET_S)
            if unless
            else None,
            opts=self.child(*alarms),
        )
        self.alarms.append(name)


def on(alarm: str) -> str:
    """That an alarm is on, in the language of composite alarms."""
    return f'ALARM("{alarm}")'
