"""Runs the benchmarks: `python -m tests.bench [NAME...]`, all of them without a name.

Each is a program of its own, `python -m tests.bench.NAME`, that prints what it measured beside a limit, or a peer
measured in the same run. Nothing here passes or fails; the machine should be quiet.
"""

from __future__ import annotations

import subprocess
import sys

BENCHES = ("app", "generator", "cutover", "switch", "rollback", "killed", "alarms", "cluster")


def main(names: list[str]) -> None:
    """Run the benchmarks called `names`, or all."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHES)}")
    for name in names or BENCHES[:-1]:  # the last one needs root and a cluster
        subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=True, timeout=1800)


if __name__ == "__main__":
    main(sys.argv[1:])
