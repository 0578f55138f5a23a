"""Samples of the edge's rules."""

from __future__ import annotations

from typing import Any

from infra.plan.graph import Resource
from infra.policy.edge import BLOCKS, NO_CACHE
from tests.infra.samples import Samples, allows, graph, one

DISTRIBUTION, ACL, BUCKET = "cloudfront/distribution", "wafv2/webAcl", "s3/bucket"
SAFE: dict[str, Any] = {
    "viewerCertificate": {"minimumProtocolVersion": "TLSv1.2_2021"},
    "defaultCacheBehavior": {"viewerProtocolPolicy": "https-only", "cachePolicyId": NO_CACHE},
    "origins": [
        {
            "originId": "api",
            "customOriginConfig": {"originProtocolPolicy": "https-only", "originSslProtocols": ["TLSv1.2"]},
            "customHeaders": [{"name": "x-origin-key", "value": "in clear"}],
        },
        {"originId": "static", "originAccessControlId": "x"},
    ],
}
KEPT = {"pathPattern": "/kept", "viewerProtocolPolicy": "https-only", "cachePolicyId": "x"}
LIMITED: dict[str, Any] = {"statement": {"rateBasedStatement": {"limit": 1}}}
KNOWN: dict[str, Any] = {"statement": {"managedRuleGroupStatement": {"name": "x"}}}
GUARD = {"scope": "CLOUDFRONT", "region": "us-east-1", "rules": [LIMITED, KNOWN]}
DENIED = {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
CHECKED = {"failoverRoutingPolicies": [{"type": "PRIMARY"}], "healthCheckId": "x"}


def of_sample(kind: str, key: str, **inputs: Any) -> Resource:
    """What speaks of the sample."""
    found = {key: "${sample.id}", **inputs}
    return Resource(name=f"its-{kind}", type=f"aws:{kind}:X", provider="account", inputs=found)


def keys(header: str, cookies: str = "none") -> dict[str, Any]:
    """The inputs of a cache policy."""
    found = {"headersConfig": {"headers": {"items": [header]}}, "cookiesConfig": {"cookieBehavior": cookies}}
    return {"parametersInCacheKeyAndForwardedToOrigin": found}


LOGGED = of_sample("wafv2/webAclLoggingConfiguration", "resourceArn")
EDGE_SAMPLES: Samples = {
    "cdn-tls": (
        [graph(one(DISTRIBUTION, SAFE))],
        [
            (
                graph(one(DISTRIBUTION, SAFE | {"viewerCertificate": {"minimumProtocolVersion": "TLSv1"}})),
                'minimumProtocolVersion is "TLSv1"; one of TLSv1.2_2021',
            ),
            (graph(one(DISTRIBUTION, SAFE | {"viewerCertificate": {}})), "minimumProtocolVersion is missing"),
            (
                graph(one(DISTRIBUTION, SAFE | {"orderedCacheBehaviors": [{"pathPattern": "/x"}]})),
                "/x is served in clear",
            ),
            (
                graph(
                    one(DISTRIBUTION, SAFE | {"origins": [{"originId": "api", "customOriginConfig": {"httpPort": 80}}]})
                ),
                "origin api may be asked in clear",
            ),
        ],
    ),
    "cdn-signs": (
        [graph(one(DISTRIBUTION, SAFE))],
        [
            (
                graph(one(DISTRIBUTION, {"origins": [{"originId": "static", "s3OriginConfig": {"old": "way"}}]})),
                "origin static is a bucket without origin access control",
            )
        ],
    ),
    "cdn-keyed": (
        [graph(one(DISTRIBUTION, SAFE))],
        [
            (
                graph(one(DISTRIBUTION, {"origins": [{"originId": "api", "customOriginConfig": {"httpPort": 80}}]})),
                "origin api cannot tell whose distribution asks",
            )
        ],
    ),
    "cdn-guarded": (
        [graph(one(DISTRIBUTION, {"webAclId": "x"}))],
        [(graph(one(DISTRIBUTION, {})), "webAclId is missing")],
    ),
    "cdn-logged": (
        [graph(one(DISTRIBUTION, {}), of_sample("cloudwatch/logDeliverySource", "resourceArn"))],
        [(graph(one(DISTRIBUTION, {})), "has no logs")],
    ),
    "cdn-keeps-public-only": (
        [graph(one(DISTRIBUTION, SAFE | {"orderedCacheBehaviors": [KEPT]}))],
        [
            (
                graph(one(DISTRIBUTION, SAFE | {"orderedCacheBehaviors": [KEPT | {"originRequestPolicyId": "x"}]})),
                "/kept is kept and sends the origin more",
            )
        ],
    ),
    "cache-keys": (
        [graph(one("cloudfront/cachePolicy", keys("Origin")))],
        [
            (graph(one("cloudfront/cachePolicy", keys("authorization"))), "forwards Authorization"),
            (graph(one("cloudfront/cachePolicy", keys("Origin", "all"))), "forwards cookies"),
        ],
    ),
    "firewalls": (
        [graph(one(ACL, GUARD), LOGGED)],
        [
            (graph(one(ACL, GUARD | {"region": "eu-west-1"}), LOGGED), 'region is "eu-west-1"; CloudFront'),
            (graph(one(ACL, GUARD | {"rules": [KNOWN]}), LOGGED), "limits nobody"),
            (graph(one(ACL, GUARD | {"rules": [LIMITED]}), LOGGED), "knows no attacks"),
            (graph(one(ACL, GUARD)), "has no logs"),
        ],
    ),
    "buckets-closed": (
        [graph(one(BUCKET, {}), of_sample("s3/bucketPublicAccessBlock", "bucket", **dict.fromkeys(BLOCKS, True)))],
        [
            (graph(one(BUCKET, {})), "may be made public"),
            (
                graph(
                    one(BUCKET, {}),
                    of_sample("s3/bucketPublicAccessBlock", "bucket", **dict.fromkeys(BLOCKS[1:], True)),
                ),
                "may be made public",
            ),
        ],
    ),
    "buckets-tls": (
        [graph(one(BUCKET, {}), of_sample("s3/bucketPolicy", "bucket", **allows(**DENIED)))],
        [
            (graph(one(BUCKET, {})), "answers in clear"),
            (graph(one(BUCKET, {}), of_sample("s3/bucketPolicy", "bucket", **allows(Action="x"))), "answers in clear"),
        ],
    ),
    "buckets-versioned": (
        [
            graph(
                one(BUCKET, {}),
                of_sample("s3/bucketVersioning", "bucket", versioningConfiguration={"status": "Enabled"}),
            )
        ],
        [(graph(one(BUCKET, {})), "keeps no versions")],
    ),
    "buckets-sealed": (
        [graph(one(BUCKET, {}), of_sample("s3/bucketServerSideEncryptionConfiguration", "bucket"))],
        [(graph(one(BUCKET, {})), "does not say how it is encrypted")],
    ),
    "certificates-renew": (
        [graph(one("acm/certificate", {"validationMethod": "DNS"}))],
        [(graph(one("acm/certificate", {"validationMethod": "EMAIL"})), 'validationMethod is "EMAIL"')],
    ),
    "failover-checked": (
        [graph(one("route53/record", CHECKED)), graph(one("route53/record", {"type": "A"}))],
        [(graph(one("route53/record", CHECKED | {"healthCheckId": None})), "healthCheckId is missing")],
    ),
}
