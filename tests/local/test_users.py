"""PostgreSQL under whichever user there is: never as root, never as one without a name, and said before it is tried."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from scripts.local import postgres, schema
from scripts.local.errors import LocalError, StartError

ROOT_USER = pwd.struct_passwd(("root", "x", 0, 0, "", "/root", "/bin/sh"))
SOMEBODY = pwd.struct_passwd(("somebody", "x", 4711, 4711, "", "/", "/bin/sh"))
NOBODY = pwd.struct_passwd(("nobody", "x", 65534, 65534, "", "/", "/bin/sh"))


@pytest.mark.parametrize(
    ("users", "expected"), [([ROOT_USER, SOMEBODY, NOBODY], "65534"), ([ROOT_USER, SOMEBODY], "4711")]
)
def test_root_becomes_a_user_that_has_a_name(
    users: list[pwd.struct_passwd], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user nobody where there is one, else another; initdb asks for the name of its user."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwall", lambda: users)
    assert ["unshare", "--user", f"--map-user={expected}", f"--map-group={expected}"] == postgres.unprivileged()


def test_root_alone_on_the_machine_is_told_to_add_a_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwall", lambda: [ROOT_USER])
    with pytest.raises(StartError, match="has no other user: add one"):
        postgres.launch(home, 1, "secret")
    assert not home.exists()


def test_root_in_a_container_that_refuses_namespaces_is_told_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of unshare, and three ways out."""
    programs = home.parent / "programs"
    programs.mkdir()
    (programs / "unshare").write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2; exit 1\n")
    (programs / "unshare").chmod(0o700)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(StartError, match=r"Operation not permitted.*plain user.*seccomp=unconfined.*DATABASE_URL"):
        postgres.launch(home, 1, "secret")
    (programs / "unshare").unlink()
    with pytest.raises(StartError, match=r"unshare: No such file"):
        postgres.launch(home, 1, "secret")
    assert not home.exists()


def test_a_user_without_a_name_is_told_before_the_start(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container run under any number (`--user 4242424`) has no passwd entry, which initdb refuses."""
    monkeypatch.setattr(os, "geteuid", lambda: 4242424)
    with pytest.raises(StartError, match=r"none for uid 4242424: add one"):
        postgres.launch(home, 1, "secret")
    assert not home.exists()


def test_a_database_that_cannot_be_migrated_is_one_message() -> None:
    """The migration's own words and what to do, as an error that the command shows without a traceback."""
    with pytest.raises(LocalError, match=r"no connection to the database: (.|\n)*run `primetrade local up` again"):
        schema.migrate("postgresql://nobody@127.0.0.1:1/none", print)
