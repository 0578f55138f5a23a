"""The load generator: what it costs, and whether it sees what a frozen server does to its users."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtest.histogram import decode, percentile_ms
from loadtest.launch import RunConfig, launch
from loadtest.profile import Journey, Profile
from loadtest.recording import Recording
from tests.bench.direct import Direct, direct, frozen

JOURNEYS = (Journey(name="GET /", path="/", headers={"Authorization": "Bearer " + "x" * 200}),)
EVERY_S, FROZEN_S, RATE = 5, 1, 500
CYCLES = 5
CPU_LIMIT_MS = 0.2
LAG_LIMIT_MS = 5.0
P95_LIMIT = 0.05


def main() -> None:
    """Print both tables."""
    console = Console()
    with direct() as server:
        console.print(_cost(server))
        console.print(_frozen(server))


def _cost(server: Direct) -> Table:
    found = _run(server, Profile(name="cost", rate=1000, warmup_s=3, steady_s=15, journeys=JOURNEYS)).generator
    cpu_ms = 1000 * found.cpu_s / found.requests
    table = Table("1,000 requests/s against Envoy's direct_response", "measured", "limit", "ratio")
    table.add_row("CPU per request, ms", f"{cpu_ms:.3f}", f"{CPU_LIMIT_MS}", f"{cpu_ms / CPU_LIMIT_MS:.2f}")
    for name, lag_ms, limit in (
        ("schedule lag p99, ms", found.lag_p99_ms, LAG_LIMIT_MS),
        ("schedule lag p99 of the worst second, ms", found.worst_second_lag_p99_ms, 5 * LAG_LIMIT_MS),
    ):
        table.add_row(name, f"{lag_ms:.2f}", f"{limit:g}", f"{lag_ms / limit:.2f}")
    return table


def _frozen(server: Direct) -> Table:
    """A request due x seconds into a pause of one waits for its rest and those before it: (1 - x) + 500 x/mu seconds.

    A twentieth of all, a quarter of those in the pause, were due with x < 0.25: p95 = 750 ms + 125,000/mu ms. Gaps
    are equal here, since the scatter of Poisson arrivals alone would move it by 1.4 % (one sigma).
    """
    rate = _drain_rate(server)
    theory_ms = 1000 * (FROZEN_S - EVERY_S * 0.05) + 1000 * RATE * EVERY_S * 0.05 / rate
    table = Table(
        f"p95, frozen {FROZEN_S} s in every {EVERY_S} s at {RATE}/s (drains at {rate:,.0f}/s)",
        "p95 ms",
        "theory",
        "off by",
    )
    steady_s = EVERY_S * CYCLES
    profile = Profile(
        name="frozen", rate=RATE, arrivals="uniform", warmup_s=EVERY_S, steady_s=steady_s, journeys=JOURNEYS
    )
    with frozen(server, EVERY_S, FROZEN_S):
        ours = percentile_ms(decode(_run(server, profile).response), 95)
    with frozen(server, EVERY_S, FROZEN_S):
        plain = _plain_p95_ms(server, steady_s)
    for name, found in (("ours, from the intended start", ours), ("plain Locust, constant_throughput", plain)):
        off = found / theory_ms - 1
        verdict = "" if abs(off) <= P95_LIMIT else f" (limit {P95_LIMIT:.0%})"
        table.add_row(name, f"{found:,.1f}", f"{theory_ms:,.1f}", f"{off:+.1%}{verdict}")
    return table


def _run(server: Direct, profile: Profile) -> Recording:
    with tempfile.TemporaryDirectory() as out, launch(RunConfig(profile, server.url, out)) as load:
        return load.wait()


def _drain_rate(server: Direct, rounds: int = 4) -> float:
    """Answers per second out of a backlog as deep as the pause makes it; the first round opens the connections."""
    command = [sys.executable, "-m", "tests.bench.drain", server.url, str(RATE * FROZEN_S), str(rounds)]
    rates = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(rounds):
            server.freeze()
            process.stdin.write("\n")
            process.stdin.flush()
            process.stdout.readline()
            thawed = time.monotonic()
            server.thaw()
            rates.append(RATE * FROZEN_S / (float(process.stdout.readline()) - thawed))
    return statistics.median(rates[1:])


def _plain_p95_ms(server: Direct, seconds: int) -> float:
    """From Locust's own statistics, as it prints them."""
    script = Path(__file__).with_name("plain.py")
    options = ["--headless", "--json", "--host", server.url, "-u", "50", "-r", "50", "-t", f"{seconds}s"]
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(script), *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 60,
    )
    (stats,) = json.loads(done.stdout)
    counts = sorted((float(ms), int(count)) for ms, count in stats["response_times"].items())
    wanted = 0.95 * sum(count for _, count in counts)
    for ms, count in counts:
        wanted -= count
        if wanted <= 0:
            return ms
    raise ValueError("plain Locust made no request")


if __name__ == "__main__":
    main()
