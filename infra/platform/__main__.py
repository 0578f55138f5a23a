"""Pulumi's entry: read the stack's configuration, build, export."""

import pulumi

from infra.platform.program import build
from infra.stackfile import KEY, platform_of

_, _, name = KEY.partition(":")
build(platform_of(pulumi.Config().require_object(name)))
