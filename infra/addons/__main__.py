"""Pulumi's entry: read the platform's file and exports of the same stack, build, export."""

import pulumi

from infra.addons.program import build
from infra.addons.read import outputs
from infra.stackfile import read_stack

stack = pulumi.get_stack()
for name, value in build(read_stack(stack).platform, outputs(stack))._asdict().items():
    pulumi.export(name, value)
