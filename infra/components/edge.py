"""CloudFront: static files from S3, the API from whichever region answers, and a cache for what is public."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pulumi_aws as aws
from pulumi import Output

from infra.components.access_log import access_log
from infra.components.bucket import Made, allow_on, bucket
from infra.components.firewall import Firewall
from infra.components.keys import Keys
from infra.components.origin import HEADER, key
from infra.components.site import Component, Site
from infra.components.zone import Zone
from infra.config.edge import Edge as Config

STATIC: Final = "/static/*"
# What the application lets everybody keep (Cache-Control: public); all else it marks no-store.
PUBLIC: Final = ("/openapi.json",)
# What tells its copies apart: who asks, and the slot that the release engine asks for, which would not get there else.
TOLD_BY: Final = ("Origin", "x-route-key", "x-route-slot")
PUBLIC_S: Final = 3600  # the longest that a copy is kept, whatever the application says
# AWS's own policies: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
# and using-managed-origin-request-policies.html beside it.
NO_CACHE: Final = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # CachingDisabled
STATIC_CACHE: Final = "658327ea-f89d-4fab-a63d-7e88639e58f6"  # CachingOptimized: the path alone tells copies apart
WHOLE_REQUEST: Final = "b689b0a8-53d0-40ab-baf2-68738e2966ac"  # AllViewerExceptHostHeader: Authorization too
TLS: Final = "TLSv1.2_2021"
READ_S: Final = 60  # longer than the application works on a request
KEEP_S: Final = 30  # shorter than the load balancer keeps an idle connection
DISTRIBUTIONS: Final = "Z2FDTNDATAQYW2"  # the zone of every distribution's own name
HSTS_S: Final = 31_536_000
CONTENT: Final = "default-src 'none'; frame-ancestors 'none'"
UNAVAILABLE: Final = Path(__file__).parent.parent / "edge" / "unavailable.json"


class Edge(Component):
    """`bucket` is where deploys put static files, under `static/`; `distribution` is what they then invalidate."""

    def __init__(self, site: Site, keys: Keys, zone: Zone, edge: Config) -> None:
        super().__init__("Edge", site)
        self.keys, self.zone, self.config = keys, zone, edge
        self.files = bucket(self, "static", None, self.child())  # CloudFront would need a key of ours
        self.made = self._distribution()
        allow_on(self, "static", self.files, Output.all(self.files.arn, self.made.arn).apply(lambda each: reads(*each)))
        self._unavailable(self.files)
        self._names()
        access_log(self, self.made.arn)
        self.bucket, self.distribution = self.files.name, self.made.id
        self.register_outputs({"bucket": self.bucket, "distribution": self.distribution})

    def _distribution(self) -> aws.cloudfront.Distribution:
        name, args = self.site.name("edge"), aws.cloudfront
        headers = self._headers()
        live: dict[str, Any] = {
            "target_origin_id": "api",
            "viewer_protocol_policy": "https-only",  # a token that came in clear is known already
            "response_headers_policy_id": headers,
        }
        return args.Distribution(
            name,
            enabled=True,
            comment=f"{self.site.prefix}: {self.zone.public}",
            aliases=[self.zone.public],
            http_version="http2and3",
            is_ipv6_enabled=True,
            price_class=self.config.price_class,
            web_acl_id=Firewall(self.site, self.keys, self.config).arn,
            origins=self._origins(),
            default_cache_behavior=args.DistributionDefaultCacheBehaviorArgs(
                allowed_methods=["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
                cached_methods=["GET", "HEAD"],
                cache_policy_id=NO_CACHE,
                origin_request_policy_id=WHOLE_REQUEST,
                **live,
            ),
            ordered_cache_behaviors=[
                *(_kept(path, cache_policy_id=self._public_cache(), **live) for path in PUBLIC),
                _kept(
                    STATIC,
                    target_origin_id="static",
                    viewer_protocol_policy="redirect-to-https",
                    cache_policy_id=STATIC_CACHE,
                    response_headers_policy_id=headers,
                ),
            ],
            # 502 only: the application itself says 503 and 504.
            custom_error_responses=[
                args.DistributionCustomErrorResponseArgs(
                    error_code=502,
                    response_code=503,
                    response_page_path=STATIC.replace("*", UNAVAILABLE.name),
                    error_caching_min_ttl=1,
                )
            ],
            restrictions=args.DistributionRestrictionsArgs(
                geo_restriction=args.DistributionRestrictionsGeoRestrictionArgs(restriction_type="none", locations=[])
            ),
            viewer_certificate=args.DistributionViewerCertificateArgs(
                acm_certificate_arn=self.zone.front(), minimum_protocol_version=TLS, ssl_support_method="sni-only"
            ),
            tags={"Name": name},
            opts=self.child(),
        )

    def _origins(self) -> list[aws.cloudfront.DistributionOriginArgs]:
        args = aws.cloudfront
        access = args.OriginAccessControl(
            self.site.name("edge", "access"),
            origin_access_control_origin_type="s3",
            signing_behavior="always",
            signing_protocol="sigv4",
            opts=self.child(),
        )
        api = args.DistributionOriginCustomOriginConfigArgs(
            http_port=80,
            https_port=443,
            origin_protocol_policy="https-only",
            origin_ssl_protocols=["TLSv1.2"],
            origin_read_timeout=READ_S,
            origin_keepalive_timeout=KEEP_S,
        )
        return [
            args.DistributionOriginArgs(
                origin_id="api",
                domain_name=self.zone.origin,
                custom_origin_config=api,
                custom_headers=[args.DistributionOriginCustomHeaderArgs(name=HEADER, value=key(self.site))],
            ),
            args.DistributionOriginArgs(
                origin_id="static",
                domain_name=self.files.bucket.bucket_regional_domain_name,
                origin_access_control_id=access.id,
            ),
        ]

    def _public_cache(self) -> Output[str]:
        """As long as the application says, a copy for each of what it answers differently after."""
        return aws.cloudfront.CachePolicy(
            self.site.name("edge", "public"),
            min_ttl=0,
            default_ttl=0,
            max_ttl=PUBLIC_S,
            parameters_in_cache_key_and_forwarded_to_origin={
                "cookies_config": {"cookie_behavior": "none"},
                "headers_config": {"header_behavior": "whitelist", "headers": {"items": [*TOLD_BY]}},
                "query_strings_config": {"query_string_behavior": "none"},
                "enable_accept_encoding_brotli": True,
                "enable_accept_encoding_gzip": True,
            },
            opts=self.child(),
        ).id

    def _headers(self) -> Output[str]:
        """What app/security.py puts on its own answers, on those that it does not make: files, refusals, errors."""
        return aws.cloudfront.ResponseHeadersPolicy(
            self.site.name("edge", "headers"),
            security_headers_config={
                "content_security_policy": {"content_security_policy": CONTENT, "override": False},
                "content_type_options": {"override": True},
                "frame_options": {"frame_option": "DENY", "override": False},
                "referrer_policy": {"referrer_policy": "no-referrer", "override": False},
                "strict_transport_security": {
                    "access_control_max_age_sec": HSTS_S,
                    "include_subdomains": True,
                    "override": False,
                },
            },
            opts=self.child(),
        ).id

    def _unavailable(self, files: Made) -> None:
        aws.s3.BucketObjectv2(
            self.site.name("static", "unavailable"),
            bucket=files.name,
            key=f"static/{UNAVAILABLE.name}",
            content=UNAVAILABLE.read_text(),
            content_type="application/problem+json",
            cache_control="no-store",
            opts=self.child(),
        )

    def _names(self) -> None:
        for kind in ("A", "AAAA"):
            aws.route53.Record(
                self.site.name("edge", kind.lower()),
                zone_id=self.zone.id,
                name=self.zone.public,
                type=kind,
                aliases=[
                    aws.route53.RecordAliasArgs(
                        name=self.made.domain_name, zone_id=DISTRIBUTIONS, evaluate_target_health=False
                    )
                ],
                opts=self.child(),
            )


def _kept(path: str, **options: Any) -> aws.cloudfront.DistributionOrderedCacheBehaviorArgs:
    """Reads of a path, by a cache: what the origin gets is what the cache policy names, so never a token."""
    return aws.cloudfront.DistributionOrderedCacheBehaviorArgs(
        path_pattern=path,
        allowed_methods=["GET", "HEAD"],
        cached_methods=["GET", "HEAD"],
        compress=True,
        **options,
    )


def reads(bucket: str, distribution: str) -> dict[str, object]:
    """A statement that lets one distribution, and nobody else's, read what is in a bucket."""
    return {
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": ["s3:GetObject"],
        "Resource": f"{bucket}/*",
        "Condition": {"StringEquals": {"AWS:SourceArn": distribution}},
    }
