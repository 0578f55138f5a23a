"""Rules of the edge: CloudFront, its firewall, names, certificates, and of every bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, cast

from infra.plan.graph import Graph, Json, Resource
from infra.policy.rule import Rule, has, said, wants

TLS: Final = ("TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025")
OLD: Final = ("SSLv3", "TLSv1", "TLSv1.1")
NO_CACHE: Final = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # AWS's policy CachingDisabled
BLOCKS: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
GLOBAL: Final = "us-east-1"


def _within(value: Json, *path: str) -> Json:
    """What is at the end of a path of keys, None where there is no such thing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _all(value: Json) -> list[dict[str, Json]]:
    return cast("list[dict[str, Json]]", value) if isinstance(value, list) else []


def _behaviours(resource: Resource) -> Iterator[tuple[str, dict[str, Json]]]:
    default = resource.inputs.get("defaultCacheBehavior")
    if isinstance(default, dict):
        yield "the default", default
    for each in _all(resource.inputs.get("orderedCacheBehaviors")):
        yield str(each.get("pathPattern")), each


def headers(resource: Resource) -> Iterator[tuple[str, Json]]:
    """The path and the value of each header that CloudFront adds."""
    for at, origin in enumerate(_all(resource.inputs.get("origins"))):
        for number, header in enumerate(_all(origin.get("customHeaders"))):
            yield f"origins[{at}].customHeaders[{number}].value", header.get("value")


def _follow(graph: Graph, kind: str, key: str, resource: Resource) -> list[Resource]:
    """The resources of a kind that name this one by `key`."""
    return [each for each in graph.of(kind) if str(each.inputs.get(key)).startswith(f"${{{resource.name}.")]


def tls_of_cdn(resource: Resource, graph: Graph) -> Iterator[str]:
    """Clients and origins speak TLS 1.2 or newer, and nothing else."""
    found = _within(resource.inputs, "viewerCertificate", "minimumProtocolVersion")
    if found not in TLS:
        yield f"minimumProtocolVersion is {said(found)}; one of {', '.join(TLS)} is expected"
    for path, each in _behaviours(resource):
        if each.get("viewerProtocolPolicy") not in ("https-only", "redirect-to-https"):
            yield f"{path} is served in clear; take https-only or redirect-to-https"
    for origin in _all(resource.inputs.get("origins")):
        config = origin.get("customOriginConfig")
        protocols = _within(config, "originSslProtocols")
        old = [each for each in protocols if each in OLD] if isinstance(protocols, list) else []
        if config and (old or _within(config, "originProtocolPolicy") != "https-only"):
            yield f"origin {origin.get('originId')} may be asked in clear or by {', '.join(OLD)}; take TLSv1.2 only"


def signed_origins(resource: Resource, graph: Graph) -> Iterator[str]:
    """Buckets are asked by origin access control."""
    for origin in _all(resource.inputs.get("origins")):
        if not origin.get("customOriginConfig") and not origin.get("originAccessControlId"):
            yield f"origin {origin.get('originId')} is a bucket without origin access control; give one"


def keyed(resource: Resource, graph: Graph) -> Iterator[str]:
    """An origin that is no bucket is told by a header whose distribution asks."""
    for origin in _all(resource.inputs.get("origins")):
        if origin.get("customOriginConfig") and not origin.get("customHeaders"):
            yield f"origin {origin.get('originId')} cannot tell whose distribution asks; give it customHeaders"


def cached_for_all(resource: Resource, graph: Graph) -> Iterator[str]:
    """What is kept was asked for without a name: the origin never sees whose request it answers."""
    for path, each in _behaviours(resource):
        if each.get("cachePolicyId") != NO_CACHE and each.get("originRequestPolicyId"):
            yield f"{path} is kept and sends the origin more than tells copies apart; leave out originRequestPolicyId"


def no_tokens_in_keys(resource: Resource, graph: Graph) -> Iterator[str]:
    """A cache policy forwards neither tokens nor cookies."""
    parameters = resource.inputs.get("parametersInCacheKeyAndForwardedToOrigin")
    names = _within(parameters, "headersConfig", "headers", "items")
    if isinstance(names, list) and "authorization" in [str(name).lower() for name in names]:
        yield "forwards Authorization; answers to it are one user's"
    if _within(parameters, "cookiesConfig", "cookieBehavior") != "none":
        yield "forwards cookies; answers to them are one user's"


def logged_cdn(resource: Resource, graph: Graph) -> Iterator[str]:
    """Its requests are written down."""
    if not _follow(graph, "cloudwatch/logDeliverySource", "resourceArn", resource):
        yield "has no logs; give it a LogDeliverySource"


def guarded(resource: Resource, graph: Graph) -> Iterator[str]:
    """It is where CloudFront looks for it, limits floods, and writes down what it refuses."""
    if resource.inputs.get("scope") == "CLOUDFRONT" and resource.inputs.get("region") != GLOBAL:
        yield f"region is {said(resource.inputs.get('region'))}; CloudFront's firewalls are in {GLOBAL}"
    rules = _all(resource.inputs.get("rules"))
    if not any(_within(rule, "statement", "rateBasedStatement") for rule in rules):
        yield "limits nobody; give it a rate-based rule"
    if not any(_within(rule, "statement", "managedRuleGroupStatement") for rule in rules):
        yield "knows no attacks; give it managed rule groups"
    if not _follow(graph, "wafv2/webAclLoggingConfiguration", "resourceArn", resource):
        yield "has no logs; give it a WebAclLoggingConfiguration"


def closed(resource: Resource, graph: Graph) -> Iterator[str]:
    """No bucket is public, whatever its policy will say one day."""
    if not any(
        all(block.inputs.get(key) is True for key in BLOCKS)
        for block in _follow(graph, "s3/bucketPublicAccessBlock", "bucket", resource)
    ):
        yield "may be made public; give it a BucketPublicAccessBlock with all four"


def bucket_by_tls(resource: Resource, graph: Graph) -> Iterator[str]:
    """Its policy denies what comes in clear."""
    texts = [str(each.inputs.get("policy")) for each in _follow(graph, "s3/bucketPolicy", "bucket", resource)]
    statements = [statement for text in texts for statement in json.loads(text)["Statement"]]
    if not any(
        statement.get("Effect") == "Deny" and _within(statement, "Condition", "Bool", "aws:SecureTransport") == "false"
        for statement in statements
    ):
        yield "answers in clear; deny it where aws:SecureTransport is false"


def versioned(resource: Resource, graph: Graph) -> Iterator[str]:
    """What is overwritten can be had again."""
    found = _follow(graph, "s3/bucketVersioning", "bucket", resource)
    if not any(_within(each.inputs, "versioningConfiguration", "status") == "Enabled" for each in found):
        yield "keeps no versions; give it a BucketVersioning"


def bucket_sealed(resource: Resource, graph: Graph) -> Iterator[str]:
    """How it is encrypted is said, not left to what is usual."""
    if not _follow(graph, "s3/bucketServerSideEncryptionConfiguration", "bucket", resource):
        yield "does not say how it is encrypted; give it a BucketServerSideEncryptionConfiguration"


def checked(resource: Resource, graph: Graph) -> Iterator[str]:
    """What fails over is checked from outside."""
    if resource.inputs.get("failoverRoutingPolicies"):
        yield from has("healthCheckId")(resource, graph)


CDN: Final = ("cloudfront/distribution",)
BUCKET: Final = ("s3/bucket",)
EDGE_RULES: Final = (
    Rule("cdn-tls", CDN, "Tokens would cross in clear", "CloudFront.3, CloudFront.9, CloudFront.15", tls_of_cdn),
    Rule("cdn-signs", CDN, "Else the bucket must be public", "CloudFront.13", signed_origins),
    Rule("cdn-keyed", CDN, "Anybody's distribution would pass for ours, without the firewall", "", keyed),
    Rule("cdn-guarded", CDN, "Attacks would reach the application", "CloudFront.6", has("webAclId")),
    Rule("cdn-logged", CDN, "Else nobody knows who asked for what", "CloudFront.5", logged_cdn),
    Rule("cdn-keeps-public-only", CDN, "One user would get another's answer", "", cached_for_all),
    Rule("cache-keys", ("cloudfront/cachePolicy",), "One user would get another's answer", "", no_tokens_in_keys),
    Rule("firewalls", ("wafv2/webAcl",), "One that guards nothing looks like one", "WAF.10, WAF.11", guarded),
    Rule("buckets-closed", BUCKET, "Most leaks are buckets", "CIS 2.1.4, S3.1, S3.8", closed),
    Rule("buckets-tls", BUCKET, "Data would cross in clear", "CIS 2.1.1, S3.5", bucket_by_tls),
    Rule("buckets-versioned", BUCKET, "Hands slip", "S3.14", versioned),
    Rule("buckets-sealed", BUCKET, "By a key that is meant", "S3.17", bucket_sealed),
    Rule(
        "certificates-renew",
        ("acm/certificate",),
        "Mail is not read at night",
        "ACM.1",
        wants(validationMethod="DNS"),
    ),
    Rule("failover-checked", ("route53/record",), "It would never happen", "", checked),
)
