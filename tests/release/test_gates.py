"""Each gate over the twin: what it concludes, with all of its four values. The gates over traffic have a file too."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.release import engine
from scripts.release.engine import Caller, Options
from scripts.release.errors import Awaiting, ReleaseError, Reverted, RouteMoved, Undecided, Unusable
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.gates.table import GATES, judge
from scripts.release.gates.verdict import GateFailed, GateOpen
from scripts.release.judge import Verdict
from scripts.release.route import Target, Weights
from scripts.release.run import OnEvent
from scripts.release.step import GATES as JUDGING
from scripts.release.step import Kind, Step
from scripts.release.twin import Behaviour, Twin
from slo.objective import Outcome
from tests.release.conftest import FILE
from tests.release.runs import judged, run_of


@pytest.fixture
def preview(twin: Twin, file: ReleaseFile) -> Twin:
    """1.1.0 waits ready on green, without a user."""
    twin.deploy("green", file.release("1.1.0", {}), 1, 9)
    twin.sleep(5)
    return twin


def asked(twin: Twin, file: ReleaseFile, kind: Kind, name: str = "") -> Verdict:
    """What the gate of this kind finds of green."""
    return judged(twin, file, Step(kind, "green", "", name=name))[0]


@pytest.fixture
def told() -> list[tuple[str, str]]:
    """Kind and label of every event of a run made with `hearing`."""
    return []


def hearing(told: list[tuple[str, str]]) -> OnEvent:
    return lambda at, kind, label, detail: told.append((kind, label))


def test_every_kind_of_gate_has_one() -> None:
    assert set(GATES) == JUDGING


TURNS = {
    Outcome.FAIL: (
        Behaviour(broken=("/cart",)),
        Behaviour(),
        GateFailed,
        "GET /cart on green: expected 401, found 500",
    ),
    Outcome.INCONCLUSIVE: (Behaviour(broken=("/cart",)), Behaviour(broken=("/cart",)), GateOpen, "so does blue"),
}


@pytest.mark.parametrize("outcome", TURNS)
def test_a_verdict_is_told_before_it_turns_the_run(
    preview: Twin, file: ReleaseFile, told: list[tuple[str, str]], outcome: Outcome
) -> None:
    new, old, ends, says = TURNS[outcome]
    preview.behaviours = {"1.1.0": new, "1.0.0": old}
    run = run_of(preview, file, hearing(told))
    with pytest.raises(ends, match=says):
        judge(run, Step(Kind.SMOKE, "green", ""))
    assert told == [("gate", f"smoke of green: {outcome}")]
    assert run.verdicts[0].startswith(f"smoke: {outcome}, GET /cart")


def test_a_gate_that_could_not_judge_is_told_as_an_error_and_ends_the_run(
    preview: Twin, file: ReleaseFile, told: list[tuple[str, str]]
) -> None:
    preview.load_error = "no tokens"
    with pytest.raises(ReleaseError, match="the analysis gate could not judge: no tokens"):
        judge(run_of(preview, file, hearing(told)), Step(Kind.ANALYSIS, "green", ""))
    assert told == [("gate", "analysis of green: error")]


def test_a_route_that_moved_under_a_gate_is_no_verdict(
    preview: Twin, file: ReleaseFile, told: list[tuple[str, str]]
) -> None:
    run = run_of(preview, file, hearing(told))
    preview.edit(Target(Weights(30, 70)))
    with pytest.raises(RouteMoved):
        judge(run, Step(Kind.ANALYSIS, "green", ""))
    assert told == []


def test_smoke_passes_what_answers_as_expected(preview: Twin, file: ReleaseFile) -> None:
    assert asked(preview, file, Kind.SMOKE) == Verdict(Outcome.PASS, "2 requests answered as expected")


def test_an_outage_of_what_both_slots_depend_on_blames_no_release_in_smoke(
    twin: Twin, file: ReleaseFile, caller: Caller
) -> None:
    """The database is down, say: nothing is retired, and the release may be asked again when it is back."""
    twin.behaviours = {name: Behaviour(broken=("/cart",)) for name in ("1.0.0", "1.1.0")}
    with pytest.raises(Undecided, match="so does blue: the release is not to blame"):
        engine.deploy(twin, file, "1.1.0", caller)
    assert (twin.current.weights, set(twin.slots)) == (Weights(100, 0), {"blue", "green"})
    twin.behaviours.clear()
    engine.promote(twin, file, caller)
    assert twin.current.weights == Weights(0, 100)


def test_a_first_release_cannot_blame_an_old_slot(empty: Twin, file: ReleaseFile, caller: Caller) -> None:
    """An empty slot answers 503 as well, and that is no excuse."""
    empty.behaviours["1.0.0"] = Behaviour(broken=("/cart",))
    with pytest.raises(Reverted, match="smoke"):
        engine.deploy(empty, file, "1.0.0", caller)


@pytest.mark.parametrize(
    ("new", "old", "outcome"),
    [
        (Behaviour(), Behaviour(), Outcome.PASS),
        (Behaviour(failed=0.1), Behaviour(), Outcome.FAIL),
        (Behaviour(failed=0.1), Behaviour(failed=0.1), Outcome.INCONCLUSIVE),
    ],
)
def test_analysis_load_compares_the_slots(
    preview: Twin, file: ReleaseFile, new: Behaviour, old: Behaviour, outcome: Outcome
) -> None:
    preview.behaviours = {"1.1.0": new, "1.0.0": old}
    assert asked(preview, file, Kind.ANALYSIS).outcome is outcome


COMPARISON = """
  comparison:
    requests: [{path: /health, headers: {authorization: "Bearer ${SHOP_TOKEN}"}}]
    ignore: [uptime]
    latency_ms: 50
"""


@pytest.fixture
def comparing(file_at: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> ReleaseFile:
    """A file with a comparison gate, and the variable that it needs."""
    monkeypatch.setenv("SHOP_TOKEN", "secret")
    return read_release_file(
        file_at(FILE.replace("  compare: {margin: 0.02}\n", f"  compare: {{margin: 0.02}}{COMPARISON}"))
    )


def body(text: str) -> Behaviour:
    """It answers /health with this."""
    return Behaviour(bodies={"/health": lambda: text})


OK = body('{"status": "OK", "uptime": 1}')
DOWN = Behaviour(broken=("/health",))
ANSWERS = {
    "the same, but for a field that is ignored": ((body('{"status": "OK", "uptime": 2}'), OK), Outcome.PASS, "0 ms"),
    "another value": ((body('{"status": "DOWN", "uptime": 1}'), OK), Outcome.FAIL, 'status: "OK" became "DOWN"'),
    "another status": ((DOWN, OK), Outcome.FAIL, "500 in 10 of 10 answers of the new slot"),
    "later than allowed": ((Behaviour(bodies=OK.bodies, takes_s=0.2), OK), Outcome.FAIL, "200 ms in the new"),
    "ill in both": ((DOWN, DOWN), Outcome.INCONCLUSIVE, "where 200 is expected"),
}


@pytest.mark.parametrize(("slots", "outcome", "says"), ANSWERS.values(), ids=ANSWERS.keys())
def test_the_answers_of_both_slots_are_compared(
    preview: Twin, comparing: ReleaseFile, slots: tuple[Behaviour, Behaviour], outcome: Outcome, says: str
) -> None:
    preview.behaviours = dict(zip(("1.1.0", "1.0.0"), slots, strict=True))
    found = asked(preview, comparing, Kind.COMPARISON)
    assert found.outcome is outcome
    assert says in found.words


def test_what_changes_by_itself_in_the_old_slot_is_named_and_no_reason_to_refuse(
    preview: Twin, comparing: ReleaseFile
) -> None:
    ticks = itertools.count()
    preview.behaviours["1.0.0"] = Behaviour(bodies={"/health": lambda: f'{{"at": {next(ticks)}}}'})
    preview.behaviours["1.1.0"] = body('{"at": -1}')
    found = asked(preview, comparing, Kind.COMPARISON)
    assert (found.outcome, "ignore it by name: at" in found.words) == (Outcome.PASS, True)


def test_a_comparison_that_lacks_a_variable_is_an_error_and_tells_no_secret(
    preview: Twin, comparing: ReleaseFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_TOKEN")
    found = asked(preview, comparing, Kind.COMPARISON)
    assert (found.outcome, "SHOP_TOKEN is not set" in found.words) == (Outcome.ERROR, True)


def test_a_variable_that_is_missing_is_known_before_anything_begins(
    twin: Twin, comparing: ReleaseFile, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan says so too; what asks no gate, as the way back, needs none."""
    engine.deploy(twin, comparing, "1.1.0", caller)
    monkeypatch.delenv("SHOP_TOKEN")
    twin.calls.clear()
    with pytest.raises(Unusable, match="SHOP_TOKEN is not set"):
        engine.deploy(twin, comparing, "1.2.0", caller)
    with pytest.raises(Unusable, match="SHOP_TOKEN is not set"):
        engine.preview_plan(twin, comparing, "1.2.0", Options())
    assert twin.calls == []
    engine.rollback(twin, comparing, caller)
    assert twin.current.weights == Weights(100, 0)


def test_a_release_whose_answers_differ_is_refused_before_its_first_user(
    twin: Twin, comparing: ReleaseFile, caller: Caller
) -> None:
    twin.behaviours = {"1.0.0": OK, "1.1.0": body("{}")}
    with pytest.raises(Reverted, match=r"comparison of green: GET /health: status: missing.*no user reached it"):
        engine.deploy(twin, comparing, "1.1.0", caller)
    assert twin.slots["blue"].users.failed == 0


@pytest.fixture
def commanded(file_at: Callable[..., Path]) -> Callable[..., ReleaseFile]:
    """A file with one external gate that runs this shell script."""

    def read(script: str, at: str = "preview", limit: str = "20s") -> ReleaseFile:
        (file_at().parent / "judge.sh").write_text(script)
        command = f"  commands: [{{name: ours, run: [sh, judge.sh], limit: {limit}, at: {at}}}]\n"
        return read_release_file(file_at(FILE.replace("gates:\n", f"gates:\n{command}")))

    return read


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, Outcome.PASS), (1, Outcome.FAIL), (10, Outcome.INCONCLUSIVE), (3, Outcome.ERROR)]
)
def test_the_exit_code_of_a_command_is_its_verdict(
    preview: Twin, commanded: Callable[..., ReleaseFile], code: int, outcome: Outcome
) -> None:
    """What it printed last is its reason. It runs beside the release file, wherever the run was started."""
    found = asked(preview, commanded(f"echo so it is; exit {code}"), Kind.COMMAND, name="ours")
    assert found.outcome is outcome
    assert "so it is" in found.words


def test_a_command_is_told_what_it_judges(preview: Twin, commanded: Callable[..., ReleaseFile]) -> None:
    script = 'echo "$OLD_VERSION on $OLD_SLOT, $VERSION on $SLOT, $RELEASE_RUN, ${EDGE_URL-no} ${PREVIEW_HEADERS-no}."'
    assert "1.0.0 on blue, 1.1.0 on green, r9,  ." in asked(preview, commanded(script), Kind.COMMAND, name="ours").words


def test_a_command_over_its_limit_passes_nothing(preview: Twin, commanded: Callable[..., ReleaseFile]) -> None:
    found = asked(preview, commanded("sleep 60", limit="1s"), Kind.COMMAND, name="ours")
    assert (found.outcome, "had not ended after 1 s" in found.words) == (Outcome.ERROR, True)


def test_a_slot_that_dies_under_a_command_is_refused_without_waiting_for_it(
    preview: Twin, commanded: Callable[..., ReleaseFile]
) -> None:
    preview.behaviours["1.1.0"] = Behaviour(crashes=True)
    found = asked(preview, commanded("sleep 60", limit="5s"), Kind.COMMAND, name="ours")
    assert found == Verdict(Outcome.FAIL, "green is not running any more")


def test_a_command_after_the_bake_brings_the_users_back(
    twin: Twin, commanded: Callable[..., ReleaseFile], caller: Caller
) -> None:
    """The gate behind the promotion: the bad release is kept to be looked into."""
    with pytest.raises(Reverted, match=r"command of green.*orders are lost.*its users were brought back"):
        engine.deploy(twin, commanded("echo orders are lost; exit 1", at="bake"), "1.1.0", caller)
    assert twin.calls[-4:] == ["drain blue", "undrain blue", "route blue 100 %, green 0 %", "drain green"]


def test_a_command_that_cannot_decide_after_the_bake_leaves_the_users_where_they_are(
    twin: Twin, commanded: Callable[..., ReleaseFile], caller: Caller
) -> None:
    with pytest.raises(Undecided, match=r"cannot decide.*no data yet"):
        engine.deploy(twin, commanded("echo no data yet; exit 10", at="bake"), "1.1.0", caller)
    assert twin.current.weights == Weights(0, 100)
    engine.promote(twin, commanded("exit 0", at="bake"), caller)
    assert engine.look(twin).can_roll_back


def test_a_command_before_the_users_keeps_them_from_a_bad_release(
    twin: Twin, commanded: Callable[..., ReleaseFile], caller: Caller
) -> None:
    with pytest.raises(Reverted, match="no user reached it"):
        engine.deploy(twin, commanded("exit 1"), "1.1.0", caller)
    assert set(twin.slots) == {"blue"}


@pytest.fixture
def approved(file_at: Callable[..., Path]) -> ReleaseFile:
    """A file that asks a person before half of the users come, and before all do."""
    return read_release_file(file_at(f"{FILE}approvals: {{before: [50, 100], limit: 24h}}\n"))


def test_an_approval_gate_waits_for_a_person_and_never_passes_by_itself(
    twin: Twin, approved: ReleaseFile, caller: Caller
) -> None:
    """It says what is waited for, until when, and the commands; asking again does not give more time."""
    with pytest.raises(Awaiting, match=r"waits for a person before 50 %.*release approve.*after (\S+Z)") as first:
        engine.deploy(twin, approved, "1.1.0", caller)
    assert twin.current.weights == Weights(95, 5)
    twin.sleep(3600)
    with pytest.raises(Awaiting) as second:
        engine.promote(twin, approved, caller)
    until = [str(each.value).split(" after ")[1].split(",")[0] for each in (first, second)]
    assert until[0] == until[1]


def test_an_approval_counts_for_its_point_and_its_release_only(
    twin: Twin, approved: ReleaseFile, caller: Caller
) -> None:
    with pytest.raises(Awaiting, match="before 50 %"):
        engine.deploy(twin, approved, "1.1.0", caller)
    with pytest.raises(Awaiting, match="before 100 %"):
        engine.approve(twin, approved, caller)
    engine.approve(twin, approved, caller)
    assert twin.current.weights == Weights(0, 100)
    with pytest.raises(Awaiting, match="before 50 %"):
        engine.deploy(twin, approved, "1.2.0", caller)


def test_a_slot_that_dips_between_its_gate_and_the_flip_gets_no_user(twin: Twin, file: ReleaseFile) -> None:
    """The route is not written: the old slot still has everybody."""

    def on_step(step: Step) -> None:
        if step.kind is Kind.SHIFT:
            twin.behaviours["1.1.0"] = Behaviour(ready_s=float("inf"))

    token = twin.current.token
    with pytest.raises(Reverted, match=r"green did not get ready in 5 s \(timeouts.verify\)"):
        engine.deploy(twin, file, "1.1.0", Caller("ann", on_step=on_step))
    assert (token, {"blue"}) == (twin.current.token, set(twin.slots))


def test_a_slot_that_dips_with_the_flip_gives_its_users_back(twin: Twin, file: ReleaseFile) -> None:
    """Probes may still be answered by the old slot: the new one's readiness is asked for too."""

    def on_step(step: Step) -> None:
        if step.kind is Kind.VERIFY:
            twin.behaviours["1.1.0"] = Behaviour(ready_s=float("inf"))

    with pytest.raises(Reverted, match="its users were brought back"):
        engine.deploy(twin, file, "1.1.0", Caller("ann", on_step=on_step))
    assert twin.current.weights == Weights(100, 0)


def test_a_dip_that_ends_in_time_refuses_nobody(twin: Twin, file: ReleaseFile) -> None:
    def on_step(step: Step) -> None:
        if step.kind is Kind.SHIFT:
            started = twin.slots["green"].started
            twin.behaviours["1.1.0"] = Behaviour(ready_s=twin.clock - started + 2)

    engine.deploy(twin, file, "1.1.0", Caller("ann", on_step=on_step))
    assert twin.current.weights == Weights(0, 100)
