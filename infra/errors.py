"""What can go wrong in this area; each message says what was found, where, and what to do next."""

from __future__ import annotations


class InfraError(Exception):
    """The root of this area's errors."""


class ConfigError(InfraError):
    """A configuration that cannot be used."""


class ProgramError(InfraError):
    """A program that did not run to its end, or that did what a plan does not allow."""


class OpsError(InfraError):
    """AWS, Pulumi or Kubernetes did not do what was asked."""


class NeedsPersonError(InfraError):
    """Going on could lose data; a person must say so."""
