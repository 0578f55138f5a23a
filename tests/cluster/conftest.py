"""The real cluster: the one that runs, or a new one, which stays up for whoever comes next."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.cluster.cluster import status, up
from scripts.cluster.state import default_home, kubeconfig


@pytest.fixture(scope="session")
def cluster() -> Path:
    """The administrator's kubeconfig of a cluster that is up; its folder is the cluster's home."""
    home = default_home()
    if not status(home).running:
        up(home, print)
    return kubeconfig(home)
