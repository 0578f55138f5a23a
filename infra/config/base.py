"""What the sections of a configuration share.

A section is one file here: a frozen struct whose every key has a type, a default that suits production, a line of help
and a bound. Its own rules stand in `__post_init__`; rules between sections stand in `infra/config/platform.py`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

Region = Literal["us-east-1", "eu-west-1"]
ZONE_IDS: Final[dict[Region, str]] = {"us-east-1": "use1", "eu-west-1": "euw1"}  # how ids of their zones begin
# Those in which EKS makes clusters: https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html.
ZONES: Final[dict[Region, tuple[str, ...]]] = {
    "us-east-1": ("az1", "az2", "az4", "az5", "az6"),
    "eu-west-1": ("az1", "az2", "az3"),
}
# What CloudWatch keeps logs for: API_PutRetentionPolicy in its reference.
LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288]

# RDS takes no hyphen twice in a row, and names go on with a hyphen.
Name = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        min_length=2,
        max_length=16,
        description="Begins every name: small letters, digits, and single hyphens between them.",
    ),
]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An unknown key is a mistake, never ignored."""
