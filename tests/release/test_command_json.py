"""With --json stdout is one document, whichever way a verb ends."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from scripts.commands.release import command
from scripts.exits import Exit, document
from scripts.release.journal import Holder
from scripts.release.route import Target
from scripts.release.twin import Behaviour, Twin
from tests.release.prompt import Prompt

Before = Callable[[Prompt], object]


def nothing(prompt: Prompt) -> None:
    """As it is: 1.0.0 has all users."""


def preview(prompt: Prompt) -> None:
    prompt.run("deploy", "1.1.0", "--until", "preview")


def released(prompt: Prompt) -> None:
    prompt.run("deploy", "1.1.0")


def waiting(prompt: Prompt) -> None:
    prompt.run("deploy", "1.1.0", *ASKS, code=9)


def undecided(prompt: Prompt) -> None:
    twin = prompt.twin

    def leave() -> None:
        twin.rate = 0 if "green" in twin.slots else twin.rate

    twin.on_tick = leave
    prompt.run("deploy", "1.1.0", code=10)
    twin.on_tick, twin.rate = lambda: None, 1000


def locked(prompt: Prompt) -> None:
    prompt.twin.held = Holder("bob@desk", "r1", "deploy", "2026-01-01T00:00:00.000Z", 42)


def elsewhere(prompt: Prompt) -> None:
    prompt.path = prompt.path.with_name("other.yaml")


ASKS = ("--set", "approvals={before: [50], limit: 1h}")
# Each verb with what comes before it, and keys of what it prints.
VERBS: dict[str, tuple[Before, tuple[str, ...], set[str]]] = {
    "init": (elsewhere, (), {"path"}),
    "plan": (nothing, ("1.1.0",), {"steps", "seconds", "extra"}),
    "deploy": (nothing, ("1.1.0",), {"run", "words", "cut_overs", "verdicts"}),
    "status": (nothing, (), {"phase", "slots", "next"}),
    "shift": (preview, ("--to", "5"), {"run", "words"}),
    "approve": (waiting, ASKS, {"run", "words"}),
    "promote": (preview, (), {"run", "words"}),
    "abort": (preview, (), {"run", "words"}),
    "rollback": (released, (), {"run", "words"}),
    "resume": (undecided, (), {"run", "words"}),
    "reap": (nothing, (), {"run", "words"}),
    "doctor": (nothing, (), {"findings"}),
    "unlock": (locked, ("--force", "--reason", "it hangs"), {"words"}),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_speaks_json(prompt: Prompt, verb: str) -> None:
    before, words, keys = VERBS[verb]
    before(prompt)
    assert keys <= prompt.document(verb, *words).keys()


def test_promote_is_refused_where_another_version_came_meanwhile(prompt: Prompt) -> None:
    """Whoever approved 1.0.5 did not approve what waits now; with its own version it goes on."""
    preview(prompt)
    _, said = prompt.run("promote", "1.0.5", code=Exit.ERROR)
    assert "1.1.0 on green is under way, not 1.0.5" in " ".join(said.split())
    assert prompt.twin.current.target == Target.all_on("blue")
    assert prompt.document("promote", "1.1.0")["words"] == "1.1.0 on green has all users; 1.0.0 on blue is warm"


def test_the_history_is_a_list_and_no_verb_is_missing_here(prompt: Prompt) -> None:
    released(prompt)
    out, _ = prompt.run("history", "--json")
    assert out.startswith("[")
    assert '"verb": "deploy"' in out
    assert {*VERBS, "history"} == {*command.commands}


def test_a_history_without_a_run_says_so(prompt: Prompt) -> None:
    prompt.twin.journal.entries.clear()
    assert prompt.run("history")[0] == "nothing was released yet\n"
    assert prompt.run("history", "--json")[0].strip() == "[]"


def bad(prompt: Prompt) -> None:
    prompt.twin.behaviours["1.1.0"] = Behaviour(failed=0.2)


def quiet(prompt: Prompt) -> None:
    prompt.twin.rate = 0


def interrupts(signum: int) -> Before:
    def before(prompt: Prompt) -> None:
        def once() -> None:
            if "green" in prompt.twin.slots:
                prompt.twin.on_tick = lambda: None
                signal.raise_signal(signum)

        prompt.twin.on_tick = once

    return before


# By exit code: what comes before, the command, words of it, and what comes next.
FAILURES: dict[Exit, tuple[Before, tuple[str, ...], str, str]] = {
    Exit.ERROR: (nothing, ("abort",), "no release is under way", "primetrade release deploy VERSION"),
    Exit.USAGE: (elsewhere, ("deploy", "1.1.0"), "cannot be read", ""),
    Exit.NEEDS_PERSON: (nothing, ("rollback",), "no earlier version is known", "primetrade release deploy VERSION"),
    Exit.REVERTED: (bad, ("deploy", "1.1.0"), "was refused by analysis of green", ""),
    Exit.LOCKED: (locked, ("deploy", "1.1.0"), "bob@desk holds the release lock", ""),
    Exit.AWAITING_APPROVAL: (nothing, ("deploy", "1.1.0", *ASKS), "50 %", "primetrade release approve"),
    Exit.INCONCLUSIVE: (quiet, ("deploy", "1.1.0"), "Nothing was changed", ""),
    Exit.INTERRUPTED: (
        interrupts(signal.SIGINT),
        ("deploy", "1.1.0"),
        "interrupted in deploy 1.1.0",
        "primetrade release promote",
    ),
    Exit.TERMINATED: (
        interrupts(signal.SIGTERM),
        ("deploy", "1.1.0"),
        "terminated in deploy 1.1.0",
        "primetrade release promote",
    ),
}


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: code.name.lower())
def test_a_failure_is_a_document_too(prompt: Prompt, code: Exit) -> None:
    before, command, words, following = FAILURES[code]
    before(prompt)
    found = prompt.document(*command, code=code)
    assert found.keys() == {"error", "exit", "next"}
    assert words in str(found["error"])
    assert (found["exit"], found["next"]) == (code, following)


def test_a_wrong_command_line_is_one_as_well(prompt: Prompt) -> None:
    found = prompt.document("shift", code=2)
    assert found == {"error": "Missing option '--to'.", "exit": 2, "next": ""}


def test_what_a_verb_found_wrong_is_printed_once(twin: Twin, prompt: Prompt) -> None:
    """Its own document says it: no second one comes behind."""
    assert "shortage" in prompt.document("plan", "1.1.0", "--rate", "1", code=10)
    twin.observe_error = "the platform is away"
    assert "findings" in prompt.document("doctor", code=6)


def test_without_json_stdout_stays_as_it_was(prompt: Prompt) -> None:
    out, err = prompt.run("rollback", code=6)
    assert (out, "no earlier version" in err) == ("", True)


def test_the_next_command_is_that_of_where_things_stand() -> None:
    words = "`primetrade local up` has not ended. Now: blue has all users. `primetrade release abort` takes it back"
    assert document(words, 1)["next"] == "primetrade release abort"
    assert document("see `primetrade release doctor`. Now: nothing", 1)["next"] == "primetrade release doctor"
