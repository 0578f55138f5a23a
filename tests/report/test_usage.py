"""CPU seconds of processes that come and go, and what the machine was."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from loadtest.machine import machine
from loadtest.usage import Account, Key, Reading, UsageSampler, tree, usages

OPENED = 1000.0
OLD, NEW = 900.0, 1010.0  # created before and after the account was opened
BURN = "import time\nwhile time.process_time() < 0.3: pass"


def spent(*moments: dict[Key, Reading]) -> float:
    account = Account(OPENED)
    for readings in moments:
        account.add(readings)
    return account.spent_s


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        pytest.param([{}], 0.0, id="nothing there"),
        pytest.param([{(1, OLD): Reading(50.0, 0)}, {(1, OLD): Reading(53.0, 0)}], 3.0, id="growth of an old process"),
        pytest.param([{}, {(1, NEW): Reading(2.0, 0)}], 2.0, id="a new process counts whole"),
        pytest.param([{(1, OLD): Reading(50.0, 0)}, {(1, OLD): Reading(54.0, 0)}, {}], 4.0, id="one that ended"),
        pytest.param(
            [{(1, OLD): Reading(9.0, 0), (2, OLD): Reading(5.0, 1)}, {(1, OLD): Reading(16.0, 0)}],
            2.0,
            id="a child's seconds pass to its parent once",
        ),
        pytest.param(
            [{(1, OLD): Reading(9.0, 0)}, {(1, OLD): Reading(9.0, 0), (2, NEW): Reading(1.0, 1)}, {}],
            1.0,
            id="parent and child end together",
        ),
        pytest.param(
            [{(1, OLD): Reading(9.0, 0)}, {(1, NEW): Reading(1.0, 0)}], 1.0, id="an id that came again is a stranger"
        ),
    ],
)
def test_an_account_counts_each_second_once(moments: list[dict[Key, Reading]], expected: float) -> None:
    """Whoever began, ended or handed its seconds on."""
    assert spent(*moments) == pytest.approx(expected)


def test_the_sampler_counts_a_child_that_ended_between_two_looks() -> None:
    """A shell that waited for a busy child has the child's seconds, seen or not."""
    command = ["sh", "-c", 'read go; "$0" -c "$1"; echo done; read end', sys.executable, BURN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        sampler = UsageSampler({"shell": lambda: tree(shell.pid), "nobody": list}, interval_s=3600)
        sampler.start(time.time())
        print("go", file=shell.stdin, flush=True)
        assert shell.stdout.readline() == "done\n"
        found = sampler.stop()
        print("end", file=shell.stdin, flush=True)
    assert found["shell"] >= 0.25  # what the kernel counts in ticks of 10 ms
    assert found["nobody"] == 0.0


def test_an_error_while_looking_is_raised_at_the_end() -> None:
    """A part that cannot be read is not taken for one that spent nothing."""
    answers = iter([[]])  # to the first question; there is none to the second

    def pids() -> list[int]:
        for answer in answers:
            return answer
        raise OSError("the slot's file cannot be read")

    sampler = UsageSampler({"app blue": pids}, interval_s=3600)
    sampler.start(time.time())
    with pytest.raises(OSError, match="slot's file"):
        sampler.stop()


def test_a_process_that_is_gone_has_no_tree() -> None:
    """A slot may end between the question and the answer."""
    with subprocess.Popen(["true"]) as ended:
        ended.wait(timeout=10)
    assert tree(ended.pid) == []


def test_cost_per_request_is_by_the_parts_own_requests() -> None:
    """A slot answers for its own requests, a database for all of them; the design's budgets stand beside."""
    app, database, other = usages({"app blue": 6.0, "PostgreSQL": 8.0, "watcher": 1.0}, {"app blue": 20_000}, 80_000)
    assert (app.cpu_ms_per_request, app.budget_ms) == (pytest.approx(0.3), 0.5)
    assert (database.cpu_ms_per_request, database.budget_ms) == (pytest.approx(0.1), 0.2)
    assert other.budget_ms is None


def test_a_part_without_requests_costs_nothing_per_request() -> None:
    """No division by zero for a slot that answered nobody."""
    assert usages({"app green": 2.0}, {"app green": 0}, 100)[0].cpu_ms_per_request == 0.0


def test_the_machine_is_described() -> None:
    """Every line says something."""
    facts = machine()
    assert [fact.name for fact in facts] == ["CPU", "cores", "memory", "kernel", "Python"]
    assert all(fact.value for fact in facts)
