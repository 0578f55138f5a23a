"""Pulumi's entry: read the stack's configuration, build, export."""

import pulumi

from infra.platform.program import build
from infra.stackfile import KEY, platform_of

config = pulumi.Config()
outputs = build(platform_of(config.require_object(KEY.partition(":")[2])), config.require_secret)
for name, value in outputs._asdict().items():
    pulumi.export(name, value)
