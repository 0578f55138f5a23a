"""The range of schema levels this build works with.

A level is the number of the last migration applied. A release is started only on a database whose level lies in
[MIN, MAX]; a migration is applied only when the live and the new build both accept the level it leads to.
"""

from __future__ import annotations

MIN = 3  # every table and column the queries name
MAX = 4  # what contract 4 forbids, a done task without closed_at, this build does not write
