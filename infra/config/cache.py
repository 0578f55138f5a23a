"""The section `cache`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from infra.config.base import Strict


class Cache(Strict, frozen=True):
    """Valkey on ElastiCache."""

    mode: Annotated[Literal["nodes", "serverless"], Meta(description="Nodes, or paid by use.")] = "nodes"
    version: Annotated[Literal["8.0", "8.1", "9.0"], Meta(description="Valkey's version.")] = "8.1"
    node: Annotated[
        str,
        Meta(pattern=r"^cache\.(t4g|m7g|r7g)\.(small|medium|large|\d{0,2}xlarge)$", description="Node type."),
    ] = "cache.m7g.large"
    replicas: Annotated[int, Meta(ge=0, le=5, description="Copies in other zones, to fail over to.")] = 1
    max_gb: Annotated[int, Meta(ge=1, le=5000, description="Most that serverless stores, GB.")] = 10
    max_ecpu: Annotated[int, Meta(ge=1000, le=15_000_000, description="Most ECPU per second of serverless.")] = 20_000
    snapshot_days: Annotated[int, Meta(ge=0, le=35, description="How long daily snapshots are kept; 0 makes none.")] = 3
    password_version: Annotated[int, Meta(ge=1, le=10_000, description="Raise it to write a new password.")] = 1
