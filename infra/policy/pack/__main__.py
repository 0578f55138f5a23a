"""The pack's process: Pulumi's engine starts it, and asks it by a port that it prints."""

from __future__ import annotations

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack, StackValidationPolicy

sys.path.insert(0, str(Path(__file__).parents[3]))

from infra.policy.pack.validation import ASKED, validation  # from the repository, wherever it is

PolicyPack(
    "primetrade",
    [StackValidationPolicy(rule.name, f"{rule.why} {rule.control}".strip(), validation(rule)) for rule in ASKED],
    EnforcementLevel.MANDATORY,
)
