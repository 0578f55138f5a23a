"""Every refusal of a YAML file names the file, the line, the key, what was found and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from slo.yamlfile import Duration, YamlFileError, load


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    weight: Annotated[int, msgspec.Meta(ge=1, le=100)]
    hold: Duration = Duration(10)
    env: dict[str, str] = {}
    mode: Literal["fast", "slow"] = "fast"

    def __post_init__(self) -> None:
        if self.weight == 13:
            raise ValueError("weight: 13 brings bad luck; write 14")


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    steps: tuple[Step, ...] = ()
    rate: float = 1.0
    source: Step | str | None = None

    def __post_init__(self) -> None:
        for n, step in enumerate(self.steps):
            if step.weight == 99:
                raise ValueError(f"steps[{n}].weight: 99 leaves one; write 100")


def refusal(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "plan.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(YamlFileError) as caught:
        load(path, Plan)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_a_file_becomes_a_struct_with_durations_in_seconds(tmp_path: Path) -> None:
    """Units are read, numbers widen to float, comments are free."""
    path = tmp_path / "plan.yaml"
    path.write_text("name: x # why\nrate: 2\nsteps:\n  - {weight: 5, hold: 1.5m, env: {A: '1'}}\nsource: {weight: 1}\n")
    expected = Plan("x", (Step(5, Duration(90), {"A": "1"}),), 2.0, Step(1))
    assert expected == load(path, Plan)


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("10s", 10), ("5m", 300), ("1.5h", 5400), ("30d", 2592000), ("0s", 0)]
)
def test_durations_are_a_number_and_a_unit(text: str, seconds: float) -> None:
    """A duration is seconds as a float and encodes as a plain number."""
    assert seconds == Duration.parse(text)
    assert seconds == msgspec.json.decode(msgspec.json.encode([Duration.parse(text)], enc_hook=float))[0]


@pytest.mark.parametrize("text", ["10s\n", " 10s", "10 s", "s", ""])
def test_a_duration_has_nothing_around_it(text: str) -> None:
    """A newline at its end included."""
    with pytest.raises(ValueError, match="is not a duration; write a number and its unit"):
        Duration.parse(text)


STEP = "name: x\nsteps:\n  - weight: 5\n"

REFUSALS = [
    ("", "plan.yaml:1: the file is empty; the keys known here are name, steps, rate, source"),
    ("# only a comment\n", "plan.yaml:1: the file is empty; the keys known here are name, steps, rate, source"),
    ("name: [x\n", "plan.yaml:2: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'"),
    (
        "name: x\n\tsteps: []\n",
        "plan.yaml:2: while scanning for the next token, found character '\\t' that cannot start",
    ),
    (b"name: \xff\n", "plan.yaml: not a YAML text: unacceptable character #x00ff"),
    ("[" * 5000, "plan.yaml: not a YAML text: "),
    ("name: x\n---\nname: y\n", "plan.yaml:2: expected a single document in the stream, but found another document"),
    ("name: x\nrate: 1\nname: y\n", "plan.yaml:3: key name stands in line 1 already; keep one of the two"),
    ("name: x\n8080: y\n", "plan.yaml:2: key '8080' is not text; quote it"),
    ("name: &n x\nsource: *n\n", "plan.yaml:2: aliases are not read here; write the value out"),
    ("name: !!python/name:os.system x\n", "plan.yaml:1: could not determine a constructor for the tag"),
    ("name: x\nrate: .inf\n", "plan.yaml:2: .inf is not a finite number"),
    ("- name\n", "plan.yaml:1: expected a mapping, got a list"),
    ("rate: 1\n", "plan.yaml:1: name: is missing; add it"),
    ("name: 2020-01-01\nrate: abc\n", "plan.yaml:2: rate: expected a number, got text, found 'abc'"),
    ("name: x\nrats: 1\n", "plan.yaml:2: rats: unknown key; the keys known here are name, steps, rate, source"),
    (
        STEP + "    wait: 1\n",
        "plan.yaml:4: steps[0].wait: unknown key; the keys known here are weight, hold, env, mode",
    ),
    (STEP + "  - hold: 5s\n", "plan.yaml:4: steps[1].weight: is missing; add it"),
    (STEP + "    hold: 10\n", "plan.yaml:4: steps[0].hold: 10 is not a duration; write a number and its unit, such as"),
    (STEP + "    hold: -1s\n", "plan.yaml:4: steps[0].hold: -1s is not a duration"),
    (
        STEP + "    mode: off\n",
        "plan.yaml:4: steps[0].mode: expected text, got true or false; one of fast, slow is exp",
    ),
    (STEP + "    mode: mid\n", "plan.yaml:4: steps[0].mode: invalid enum value 'mid'; one of fast, slow is expected"),
    (
        STEP + "    env:\n      A: b\n      B: 1\nrate: x\n",
        "plan.yaml:6: steps[0].env.B: expected text, got a whole number, found",
    ),
    ("name: x\nsteps:\n  - weight: 101\n", "plan.yaml:3: steps[0].weight: expected a whole number <= 100, found '101'"),
    ("name: x\nsteps:\n  - mode: slow\n    weight: 13\n", "plan.yaml:4: steps[0].weight: 13 brings bad luck; write 14"),
    (STEP + "  - weight: 99\n", "plan.yaml:4: steps[1].weight: 99 leaves one; write 100"),
    ("name: x\nsource: {weigth: 1}\n", "plan.yaml:2: source.weigth: unknown key; the keys known here are weight, hold"),
    ("name: x\nsteps: 3\n", "plan.yaml:2: steps: expected a list, got a whole number, found '3'"),
    ("name: 2021-02-30\nsteps: null\n", "plan.yaml:2: steps: expected a list, got nothing, found 'null'"),
]


@pytest.mark.parametrize(("text", "message"), REFUSALS)
def test_a_refusal_names_line_key_finding_and_remedy(tmp_path: Path, text: str | bytes, message: str) -> None:
    """One message, shown once, from which the file can be mended."""
    found = refusal(tmp_path, text)
    assert message == found[: len(message)]
    assert "\n" not in found


def test_an_unreadable_path_is_refused_by_name(tmp_path: Path) -> None:
    """A missing file and a folder are errors of the caller, not stack traces."""
    for path, why in [(tmp_path / "none.yaml", "No such file or directory"), (tmp_path, "Is a directory")]:
        with pytest.raises(YamlFileError, match=f"^{path}: cannot be read: {why}; give the path of a readable file$"):
            load(path, Plan)
