"""What AWS looks for when it makes a thing is there before, also where no input of the thing names it."""

from __future__ import annotations

import pytest

from infra.plan.graph import Graph

SPEAKERS = "on-call-speakers"
WAITS = {
    "rds/eventSubscription": ("database", SPEAKERS),  # SourceNotFound, SNSNoAuthorization
    "costexplorer/anomalySubscription": (SPEAKERS,),
    "budgets/budget": (SPEAKERS,),
    "cloudwatch/logDelivery": ("edge-logs-policy",),
    "ec2/flowLog": ("flow-logs-role-may",),
    "rds/proxy": ("proxy-role-may",),
    "wafv2/webAclLoggingConfiguration": ("firewall",),
    "backup/selection": ("backups-role-AWSBackupServiceRolePolicyForBackup",),
}


@pytest.mark.parametrize("kind", WAITS)
def test_what_aws_asks_about_is_there_before(stack: Graph, kind: str) -> None:
    """In every stack that has the kind."""
    for each in stack.of(kind):
        assert {f"primetrade-{stack.stack}-{name}" for name in WAITS[kind]} <= {*each.depends_on}, each.name


def test_rds_tells_of_every_instance_once_it_is_there(stack: Graph) -> None:
    """Replicas too."""
    (word,) = stack.of("rds/eventSubscription")
    assert {each.name for each in stack.of("rds/instance")} <= {*word.depends_on}


def test_an_instance_waits_until_its_monitor_may_speak(stack: Graph) -> None:
    """RDS refuses a monitoring role without its policy."""
    for each in stack.of("rds/instance"):
        waits = [name for name in each.depends_on if name.endswith("-AmazonRDSEnhancedMonitoringRole")]
        assert bool(each.inputs.get("monitoringInterval")) == bool(waits)
