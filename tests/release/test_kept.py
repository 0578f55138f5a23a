"""The way back, and looking, need no release file that can be read: the last one that led forward will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.release.engine import Caller, deploy, look
from scripts.release.errors import Unusable
from scripts.release.file import ReleaseFile, read_release_file
from scripts.release.journal import Holder
from scripts.release.kept import find, keep
from scripts.release.twin import Twin
from tests.release.conftest import FILE
from tests.release.prompt import Prompt

BROKEN = FILE.replace("steps: [5, 50, 100]", "steps: [5, 50,")


@pytest.fixture
def edited(prompt: Prompt) -> Prompt:
    """1.1.0 was brought to all users; then somebody began to edit the file."""
    prompt.run("deploy", "1.1.0")
    prompt.path.write_text(BROKEN)
    return prompt


def test_a_rollback_does_not_wait_for_a_file_in_mid_edit(edited: Prompt) -> None:
    """It goes by the copy, and says why and which."""
    _, err = edited.run("rollback", "--reason", "checkout is broken")
    assert f"{edited.path}:" in err
    assert f"Going by the copy of {edited.path} that `deploy` used at 20" in err
    assert look(edited.twin).active.version == "1.0.0"
    assert edited.files[-1].settings == edited.files[0].settings


@pytest.mark.parametrize("verb", ["status", "history", "reap"])
def test_what_looks_or_clears_away_does_not_wait_for_it_either(edited: Prompt, verb: str) -> None:
    assert "Going by the copy" in edited.run(verb)[1]


def test_an_abort_finds_the_copy_of_the_release_under_way(prompt: Prompt) -> None:
    prompt.run("deploy", "1.1.0", "--until", "preview")
    prompt.path.unlink()
    assert "cannot be read: No such file or directory" in prompt.run("abort")[1]
    assert not prompt.twin.observe().slots["green"].running


def test_a_stuck_lock_is_taken_without_the_file(edited: Prompt) -> None:
    edited.twin.held = Holder("bob@desk", "r1", "deploy", "2026-01-01T00:00:00.000Z", 42)
    assert "was taken from run r1" in edited.run("unlock", "--force", "--reason", "it hangs")[0]


def test_the_doctor_names_the_file_itself(edited: Prompt) -> None:
    out, _ = edited.run("doctor", code=6)
    assert out.startswith(f"release.yaml  {edited.path}:")
    assert "mend it: commands forward need it" in out


@pytest.mark.parametrize("verb", [("deploy", "1.2.0"), ("plan", "1.2.0"), ("promote",), ("resume",), ("approve",)])
def test_the_way_forward_goes_by_the_file_alone(edited: Prompt, verb: tuple[str, ...]) -> None:
    calls = list(edited.twin.calls)
    assert "Going by the copy" not in edited.run(*verb, code=2)[1]
    assert calls == edited.twin.calls


@pytest.mark.parametrize("name", ["elsewhere/release.yaml", "typo.yaml"])
def test_another_directory_or_a_path_that_is_wrong_leads_to_the_same_slots(
    edited: Prompt, tmp_path: Path, name: str
) -> None:
    _, err = edited.run("rollback", path=tmp_path / name)
    assert f"Going by the copy of {edited.path}" in err
    assert look(edited.twin).active.version == "1.0.0"


def test_targets_that_cannot_be_read_stop_nobody_on_the_way_back(edited: Prompt) -> None:
    """Neither a broken slo.yaml nor one without the objectives that the gates need."""
    edited.path.write_text(FILE)
    targets = edited.path.with_name("slo.yaml")
    before = targets.read_text()
    targets.write_text("version: one")
    edited.run("status")
    targets.write_text("\n".join(line for line in before.splitlines() if "kind: errors" not in line))
    assert "gates.compare.failure_share" in edited.run("rollback")[1]
    assert edited.files[-1].failure_share == edited.files[0].failure_share


def test_what_a_deploy_set_stays_set_and_a_mistake_in_set_is_still_one(prompt: Prompt) -> None:
    prompt.run("deploy", "1.1.0", "--set", "timeouts.drain=7s", "--set", "timeouts.ready=8s")
    prompt.path.unlink()
    prompt.run("status", "--set", "timeouts.ready=9s")
    timeouts = prompt.files[-1].settings.timeouts
    assert (timeouts.drain, timeouts.ready) == (7, 9)
    assert "--set nothing" in prompt.run("rollback", "--set", "nothing", code=2)[1]


def test_without_a_copy_it_says_so(twin: Twin, prompt: Prompt, file: ReleaseFile, caller: Caller) -> None:
    deploy(twin, file, "1.1.0", caller)
    prompt.path.unlink()
    assert "No command forward has kept a copy" in " ".join(prompt.run("rollback", code=2)[1].split())


def test_a_disk_without_room_for_the_copy_stops_no_release(prompt: Prompt) -> None:
    prompt.home.mkdir()
    (prompt.home / "release").write_text("in the way")
    assert "no copy of" in prompt.run("deploy", "1.1.0")[1]
    assert look(prompt.twin).active.version == "1.1.0"


def at(file: ReleaseFile, name: str, *overrides: str) -> ReleaseFile:
    """The same file in another directory."""
    folder = file.path.parent / name
    folder.mkdir()
    for each in ("release.yaml", "slo.yaml"):
        (folder / each).write_text(file.path.with_name(each).read_text())
    return read_release_file(folder / "release.yaml", overrides)


def test_of_several_copies_none_is_guessed(file: ReleaseFile, tmp_path: Path) -> None:
    """One that leads to other slots than the next could take the wrong service back."""
    cluster = "kubernetes={namespace: shops, app: shop, image: shop}"
    shop, other = at(file, "shop", cluster, "platform=kubernetes"), at(file, "other")
    for when, each in enumerate((shop, other, file)):
        keep(tmp_path, each, "deploy", float(when))
    nowhere = tmp_path / "nowhere.yaml"
    with pytest.raises(
        Unusable, match=r"give one of them as --file: \S+shop/release.yaml \(kubernetes, shop in shops\)"
    ):
        find(tmp_path, nowhere)
    for path, platform, copy in (
        (shop.path, "", shop),
        (other.path, "", other),
        (nowhere, "local", file),  # the same slots as the other one's: the newest
        (nowhere, "kubernetes", shop),
    ):
        found = find(tmp_path, path, platform)
        assert found is not None
        assert found.path == str(copy.path)
    (tmp_path / "release" / "files" / "torn.json").write_text("{")
    assert find(tmp_path, nowhere, "kubernetes")
    assert find(tmp_path / "empty", nowhere) is None
