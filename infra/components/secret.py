"""Secrets Manager: what the application is told, written by a field that no state keeps."""

from __future__ import annotations

import json
from collections.abc import Callable

import pulumi_aws as aws
from pulumi import Input, Output

from infra.components.site import Component


def secret(of: Component, part: str, key: Input[str], words: Output[str], version: int) -> Output[str]:
    """The ARN of a new secret that says `words`; they are written again when `version` rises."""
    name = of.site.name(part)
    made = aws.secretsmanager.Secret(name, kms_key_id=key, tags={"Name": name}, opts=of.child())
    aws.secretsmanager.SecretVersion(
        f"{name}-value", secret_id=made.id, secret_string_wo=words, secret_string_wo_version=version, opts=of.child()
    )
    return made.arn


def login_of(name: str) -> Callable[[str], str]:
    """A function from a password to the text of a secret, in the form that RDS Proxy reads too."""
    return lambda password: json.dumps({"username": name, "password": password})
