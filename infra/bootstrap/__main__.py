"""Pulumi's entry: read the stack's configuration, build, export."""

import pulumi

from infra.bootstrap.config import PROJECT, Account
from infra.bootstrap.program import build
from infra.stackfile import section

account = section(pulumi.Config().require_object("account"), f"{PROJECT}:account", Account)
for name, value in build(account)._asdict().items():
    pulumi.export(name, value)
