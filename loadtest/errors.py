"""What load tests cannot do; one tree."""

from __future__ import annotations


class LoadError(Exception):
    """A load test, or its preparation, cannot go on; the message says why and what to do."""
