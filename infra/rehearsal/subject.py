"""What is rehearsed: a program on a stack, what it reads, and a change of that."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from infra.addons.read import reference
from infra.bootstrap.config import PROJECT as BOOTSTRAP
from infra.bootstrap.config import Account, File
from infra.config.platform import Platform
from infra.plan import programs
from infra.plan.graph import Graph
from infra.plan.run import run_program
from infra.rehearsal.change import Change, Setting, changed, moved
from infra.stackfile import KEY, read_file, read_stack

ACCOUNT: Final = f"{BOOTSTRAP}:account"
# Another address is not another cluster: nothing in it may be replaced for it.
READDRESSED: Final = "cluster_endpoint=https://elsewhere.eks.amazonaws.com"


class Subject(msgspec.Struct, frozen=True):
    """All that an engine has to be told, and the plan that it is held against."""

    program: str
    stack: str
    project: str
    run: Callable[[], None]  # the program
    package: str  # whose provider a stand-in is
    region: str
    setting: Setting
    change: Change
    secrets: tuple[str, ...]
    graph: Graph


class _Read(msgspec.Struct, frozen=True):
    package: str
    region: str
    setting: Setting
    change: Change


def subject(program: str, stack: str, words: str | None) -> Subject:
    """A committed stack; no words are the change that tells most. Raises ConfigError, YamlFileError, ProgramError."""
    home = programs.PROGRAMS[program]
    found = READ[program](stack, words)
    return Subject(
        program=program,
        stack=stack,
        project=home.project,
        run=partial(run_program, home.directory),
        package=found.package,
        region=found.region,
        setting=found.setting,
        change=found.change,
        secrets=programs.wanted_secrets(program, stack),
        graph=programs.plan(program, stack, found.setting.references),
    )


def of_platform(platform: Platform) -> Setting:
    """What the platform program reads."""
    return Setting({KEY: msgspec.to_builtins(platform)})


def of_account(account: Account) -> Setting:
    """What the bootstrap program reads."""
    return Setting({ACCOUNT: msgspec.to_builtins(account)})


def _platform(stack: str, words: str | None) -> _Read:
    found = read_stack(stack).platform
    words = words or moved(found)
    return _Read("aws", found.region, of_platform(found), Change(words, of_platform(changed(found, words))))


def _bootstrap(stack: str, words: str | None) -> _Read:
    found = read_file(stack, programs.PROGRAMS["bootstrap"].directory, File).config.account
    words = words or f"github={found.github}-moved"  # who may deploy
    return _Read("aws", found.region, of_account(found), Change(words, of_account(changed(found, words))))


def _addons(stack: str, words: str | None) -> _Read:
    """Its stack file says nothing: what changes is what the platform exports."""
    name, said = reference(stack), programs.plan("platform", stack).exports
    words = words or READDRESSED
    change = Change(words, Setting({}, {name: changed(said, words)}))
    return _Read("kubernetes", read_stack(stack).platform.region, Setting({}, {name: said}), change)


READ: Final[dict[str, Callable[[str, str | None], _Read]]] = {
    "platform": _platform,
    "bootstrap": _bootstrap,
    "addons": _addons,
}
