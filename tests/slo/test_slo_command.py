"""`primetrade slo` as its users meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scripts.cli import primetrade

ROOT = Path(__file__).parents[2]
FILE = str(ROOT / "slo.yaml")


def run(*args: str) -> Result:
    return CliRunner().invoke(primetrade, ["slo", *args, "--file", FILE])


def test_show_names_every_target_and_its_judge() -> None:
    """The table has the objectives, the routes and what is never counted."""
    shown = run("show")
    assert shown.exit_code == 0
    for words in ["95 % of requests under 200 ms", "prometheus", "GET /tasks/{task_id}", "/livez", "3,000"]:
        assert words in shown.stdout


def test_show_prints_json_for_machines() -> None:
    """The JSON holds the same targets."""
    document = json.loads(run("show", "--json").stdout)
    assert (document["service"], len(document["objectives"]), len(document["routes"])) == ("task-api", 7, 2)


@pytest.mark.parametrize(
    ("args", "code", "verdict"),
    [
        (["--requests", "60000", "--failed", "12", "--slow-over", "200=300", "--seconds", "59"], 0, "pass"),
        (["--requests", "60000", "--failed", "90"], 3, "fail"),
        (["--requests", "60000", "--failed", "0", "--slow-over", "500=900"], 3, "fail"),
        (["--requests", "60000", "--failed", "0", "--seconds", "61"], 3, "fail"),
        (["--requests", "60000", "--failed", "48"], 10, "inconclusive"),
        (["--requests", "2999", "--failed", "0"], 10, "inconclusive"),
        (["--requests", "0", "--failed", "0"], 1, "error"),
    ],
)
def test_check_ends_with_the_verdict_and_its_exit_code(args: list[str], code: int, verdict: str) -> None:
    """Passed, missed, inconclusive or nothing to judge: the last line and the exit code agree."""
    done = run("check", *args)
    assert (code, f"Verdict: {verdict}") == (done.exit_code, done.stdout.splitlines()[-1])


def test_check_tells_what_it_did_not_judge() -> None:
    """Objectives without counts, or of another judge, are listed and do not decide."""
    document = json.loads(run("check", "--requests", "60000", "--failed", "6", "--seconds", "60", "--json").stdout)
    assert [j["objective"] for j in document["judgements"]] == ["errors", "throughput"]
    words = {j["objective"]: j["words"] for j in document["not_judged"]}
    assert words["latency-p95"] == "not judged: give --slow-over 200=N"
    assert words["availability"].startswith("judged by prometheus, not by this run: 99.99 % of 60,000 requests")
    assert words["users"] == "judged by model, not by this run"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--requests", "5", "--failed", "6"], "6 of 5 requests; give at most all of them"),
        (["--requests", "5", "--failed", "-1"], "-1 is not in the range x>=0"),
        (["--requests", "5", "--failed", "0", "--slow-over", "200"], "200 is not MS=N; write 200=12"),
        (
            ["--requests", "5", "--failed", "0", "--slow-over", "9=1"],
            "no objective has 9 ms; the file asks for 200, 500",
        ),
        (["--requests", "5", "--failed", "1", "--slow-over", "200=5"], "5 slow of 4 answers that did not fail"),
        (["--requests", "5", "--failed", "0", *["--slow-over", "200=1"] * 2], "200 ms is given twice; keep one"),
        (["--requests", "5", "--failed", "0", "--seconds", "0"], "0.0 is not in the range x>0"),
        (["--requests", "5"], "Missing option '--failed'"),
    ],
)
def test_wrong_flags_are_refused_with_what_to_do(args: list[str], message: str) -> None:
    """Exit code 2, one message, no verdict."""
    done = run("check", *args)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Verdict" not in done.stdout


def test_a_bad_file_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    """A real process: the message names file, line and key, and there is no stack trace."""
    (tmp_path / "slo.yaml").write_text("version: 1\nservise: x\n")
    done = subprocess.run(
        [sys.executable, "-m", "scripts.cli", "slo", "show"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: slo.yaml:2: servise: unknown key; the keys known here are version, service")
    assert done.stdout == ""
