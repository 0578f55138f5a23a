"""Which of AWS's published types is which of Pulumi's, and where the two use other words for the same."""

from __future__ import annotations

from typing import Final

import msgspec


class Published(msgspec.Struct, frozen=True):
    """The name that AWS publishes a type by, and its words for Pulumi's where more than their case differs."""

    name: str
    names: dict[str, str] = {}
    like: tuple[str, ...] = ()  # types whose versions and classes are its own
    inside: str = ""  # the property that has all of Pulumi's inputs, where there is one


TYPES: Final = {
    "acm/certificate": Published("AWS::CertificateManager::Certificate"),
    "budgets/budget": Published("AWS::Budgets::Budget", {"name": "BudgetName"}, inside="Budget"),
    "cloudfront/cachePolicy": Published("AWS::CloudFront::CachePolicy", inside="CachePolicyConfig"),
    "cloudfront/distribution": Published(
        "AWS::CloudFront::Distribution",
        {"isIpv6Enabled": "IPV6Enabled", "orderedCacheBehaviors": "CacheBehaviors", "originId": "Id"},
        inside="DistributionConfig",
    ),
    "cloudfront/originAccessControl": Published(
        "AWS::CloudFront::OriginAccessControl", inside="OriginAccessControlConfig"
    ),
    "cloudfront/responseHeadersPolicy": Published(
        "AWS::CloudFront::ResponseHeadersPolicy", inside="ResponseHeadersPolicyConfig"
    ),
    "cloudwatch/compositeAlarm": Published("AWS::CloudWatch::CompositeAlarm"),
    "cloudwatch/dashboard": Published("AWS::CloudWatch::Dashboard"),
    "cloudwatch/eventRule": Published("AWS::Events::Rule"),
    "cloudwatch/logDelivery": Published("AWS::Logs::Delivery"),
    "cloudwatch/logDeliveryDestination": Published("AWS::Logs::DeliveryDestination"),
    "cloudwatch/logDeliverySource": Published("AWS::Logs::DeliverySource"),
    "cloudwatch/logGroup": Published("AWS::Logs::LogGroup", {"name": "LogGroupName"}),
    "cloudwatch/logResourcePolicy": Published("AWS::Logs::ResourcePolicy"),
    "cloudwatch/metricAlarm": Published("AWS::CloudWatch::Alarm", {"metricQueries": "Metrics", "name": "AlarmName"}),
    "costexplorer/anomalyMonitor": Published("AWS::CE::AnomalyMonitor", {"name": "MonitorName"}),
    "costexplorer/anomalySubscription": Published(
        "AWS::CE::AnomalySubscription", {"monitorArnLists": "MonitorArnList", "name": "SubscriptionName"}
    ),
    "ec2/eip": Published("AWS::EC2::EIP"),
    "ec2/flowLog": Published("AWS::EC2::FlowLog", {"iamRoleArn": "DeliverLogsPermissionArn", "vpcId": "ResourceId"}),
    "ec2/internetGateway": Published("AWS::EC2::InternetGateway"),
    "ec2/launchTemplate": Published(
        "AWS::EC2::LaunchTemplate", {"vpcSecurityGroupIds": "SecurityGroupIds"}, inside="LaunchTemplateData"
    ),
    "ec2/natGateway": Published("AWS::EC2::NatGateway"),
    "ec2/route": Published("AWS::EC2::Route"),
    "ec2/routeTable": Published("AWS::EC2::RouteTable"),
    "ec2/routeTableAssociation": Published("AWS::EC2::SubnetRouteTableAssociation"),
    "ec2/securityGroup": Published("AWS::EC2::SecurityGroup", {"description": "GroupDescription", "name": "GroupName"}),
    "ec2/subnet": Published("AWS::EC2::Subnet"),
    "ec2/vpc": Published("AWS::EC2::VPC"),
    "ec2/vpcEndpoint": Published("AWS::EC2::VPCEndpoint"),
    "ecr/repository": Published("AWS::ECR::Repository", {"name": "RepositoryName"}),
    "eks/accessEntry": Published("AWS::EKS::AccessEntry"),
    "eks/addon": Published("AWS::EKS::Addon", {"resolveConflictsOnCreate": "ResolveConflicts"}),
    "eks/cluster": Published("AWS::EKS::Cluster", {"vpcConfig": "ResourcesVpcConfig"}),
    "eks/nodeGroup": Published("AWS::EKS::Nodegroup", {"nodeRoleArn": "NodeRole", "subnetIds": "Subnets"}),
    "eks/podIdentityAssociation": Published("AWS::EKS::PodIdentityAssociation"),
    "elasticache/replicationGroup": Published(
        "AWS::ElastiCache::ReplicationGroup",
        {
            "description": "ReplicationGroupDescription",
            "maintenanceWindow": "PreferredMaintenanceWindow",
            "nodeType": "CacheNodeType",
            "subnetGroupName": "CacheSubnetGroupName",
        },
        ("AWS::ElastiCache::CacheCluster",),
    ),
    "elasticache/serverlessCache": Published("AWS::ElastiCache::ServerlessCache", {"name": "ServerlessCacheName"}),
    "elasticache/subnetGroup": Published("AWS::ElastiCache::SubnetGroup", {"name": "CacheSubnetGroupName"}),
    "elasticache/user": Published("AWS::ElastiCache::User", {"passwordsWo": "Passwords"}),
    "elasticache/userGroup": Published("AWS::ElastiCache::UserGroup"),
    "iam/instanceProfile": Published("AWS::IAM::InstanceProfile", {"name": "InstanceProfileName"}),
    "iam/openIdConnectProvider": Published("AWS::IAM::OIDCProvider", {"clientIdLists": "ClientIdList"}),
    "iam/policy": Published("AWS::IAM::ManagedPolicy", {"name": "ManagedPolicyName", "policy": "PolicyDocument"}),
    "iam/role": Published("AWS::IAM::Role", {"assumeRolePolicy": "AssumeRolePolicyDocument", "name": "RoleName"}),
    "iam/rolePolicy": Published(
        "AWS::IAM::RolePolicy", {"name": "PolicyName", "policy": "PolicyDocument", "role": "RoleName"}
    ),
    "kms/alias": Published("AWS::KMS::Alias", {"name": "AliasName"}),
    "kms/key": Published("AWS::KMS::Key", {"deletionWindowInDays": "PendingWindowInDays", "policy": "KeyPolicy"}),
    "rds/eventSubscription": Published("AWS::RDS::EventSubscription", {"snsTopic": "SnsTopicArn"}),
    "rds/instance": Published(
        "AWS::RDS::DBInstance",
        {
            "backupWindow": "PreferredBackupWindow",
            "caCertIdentifier": "CACertificateIdentifier",
            "dbSubnetGroupName": "DBSubnetGroupName",
            "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
            "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
            "identifier": "DBInstanceIdentifier",
            "instanceClass": "DBInstanceClass",
            "maintenanceWindow": "PreferredMaintenanceWindow",
            "parameterGroupName": "DBParameterGroupName",
            "passwordWo": "MasterUserPassword",
            "performanceInsightsEnabled": "EnablePerformanceInsights",
            "replicateSourceDb": "SourceDBInstanceIdentifier",
            "username": "MasterUsername",
            "vpcSecurityGroupIds": "VPCSecurityGroups",
        },
    ),
    "rds/parameterGroup": Published("AWS::RDS::DBParameterGroup", {"name": "DBParameterGroupName"}),
    "rds/proxy": Published("AWS::RDS::DBProxy", {"auths": "Auth", "name": "DBProxyName"}),
    "rds/proxyDefaultTargetGroup": Published("AWS::RDS::DBProxyTargetGroup"),
    "rds/subnetGroup": Published("AWS::RDS::DBSubnetGroup", {"name": "DBSubnetGroupName"}),
    "route53/healthCheck": Published(
        "AWS::Route53::HealthCheck",
        {"enableSni": "EnableSNI", "fqdn": "FullyQualifiedDomainName"},
        inside="HealthCheckConfig",
    ),
    "route53/record": Published("AWS::Route53::RecordSet", {"records": "ResourceRecords", "zoneId": "HostedZoneId"}),
    "route53/zone": Published("AWS::Route53::HostedZone"),
    "s3/bucket": Published("AWS::S3::Bucket", {"bucket": "BucketName"}),
    "s3/bucketPolicy": Published("AWS::S3::BucketPolicy", {"policy": "PolicyDocument"}),
    "secretsmanager/secret": Published("AWS::SecretsManager::Secret"),
    "sns/topic": Published("AWS::SNS::Topic", {"name": "TopicName"}),
    "sns/topicPolicy": Published("AWS::SNS::TopicPolicy", {"policy": "PolicyDocument"}),
    "sns/topicSubscription": Published("AWS::SNS::Subscription", {"topic": "TopicArn"}),
    "sqs/queue": Published(
        "AWS::SQS::Queue", {"messageRetentionSeconds": "MessageRetentionPeriod", "name": "QueueName"}
    ),
    "sqs/queuePolicy": Published("AWS::SQS::QueuePolicy", {"policy": "PolicyDocument"}),
    "vpc/securityGroupEgressRule": Published(
        "AWS::EC2::SecurityGroupEgress",
        {
            "cidrIpv4": "CidrIp",
            "referencedSecurityGroupId": "DestinationSecurityGroupId",
            "securityGroupId": "GroupId",
        },
    ),
    "vpc/securityGroupIngressRule": Published(
        "AWS::EC2::SecurityGroupIngress",
        {
            "cidrIpv4": "CidrIp",
            "referencedSecurityGroupId": "SourceSecurityGroupId",
            "securityGroupId": "GroupId",
        },
    ),
    "wafv2/webAcl": Published("AWS::WAFv2::WebACL"),
}
