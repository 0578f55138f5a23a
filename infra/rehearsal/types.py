"""Which of AWS's published types is which of Pulumi's, and where the two use other words for the same."""

from __future__ import annotations

from typing import Final

import msgspec


class Published(msgspec.Struct, frozen=True):
    """The name that AWS publishes a type by, and its words for Pulumi's where more than their case differs."""

    name: str
    names: dict[str, str] = {}
    like: tuple[str, ...] = ()  # types whose versions and classes are its own


TYPES: Final = {
    "cloudwatch/logGroup": Published("AWS::Logs::LogGroup", {"name": "LogGroupName"}),
    "ec2/eip": Published("AWS::EC2::EIP"),
    "ec2/flowLog": Published("AWS::EC2::FlowLog", {"iamRoleArn": "DeliverLogsPermissionArn", "vpcId": "ResourceId"}),
    "ec2/internetGateway": Published("AWS::EC2::InternetGateway"),
    "ec2/natGateway": Published("AWS::EC2::NatGateway"),
    "ec2/route": Published("AWS::EC2::Route"),
    "ec2/routeTable": Published("AWS::EC2::RouteTable"),
    "ec2/routeTableAssociation": Published("AWS::EC2::SubnetRouteTableAssociation"),
    "ec2/securityGroup": Published("AWS::EC2::SecurityGroup", {"description": "GroupDescription", "name": "GroupName"}),
    "ec2/subnet": Published("AWS::EC2::Subnet"),
    "ec2/vpc": Published("AWS::EC2::VPC"),
    "ec2/vpcEndpoint": Published("AWS::EC2::VPCEndpoint"),
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
    "iam/role": Published("AWS::IAM::Role", {"assumeRolePolicy": "AssumeRolePolicyDocument", "name": "RoleName"}),
    "iam/rolePolicy": Published(
        "AWS::IAM::RolePolicy", {"name": "PolicyName", "policy": "PolicyDocument", "role": "RoleName"}
    ),
    "kms/alias": Published("AWS::KMS::Alias", {"name": "AliasName"}),
    "kms/key": Published("AWS::KMS::Key", {"deletionWindowInDays": "PendingWindowInDays", "policy": "KeyPolicy"}),
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
    "secretsmanager/secret": Published("AWS::SecretsManager::Secret"),
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
}
