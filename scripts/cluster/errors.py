"""What can go wrong with the cluster: one tree, shown once by the command."""

from __future__ import annotations


class ClusterError(Exception):
    """The cluster cannot do what was asked; the message says what to do next."""


class MissingError(ClusterError):
    """The machine lacks something that only its owner can install or allow."""


class NotUpError(ClusterError):
    """There is no running cluster under this home."""
