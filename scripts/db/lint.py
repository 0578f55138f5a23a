"""Migrations that would lock users out or break a release that runs, refused with the safe way to the same end.

squawk parses the files and knows the rules (https://squawkhq.com/docs/rules); which of them count here, and the recipe
for each, is this table. `-- squawk-ignore RULE` above a statement lets it pass; say why beside it.
"""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from app.migrate import CONTRACT, MIGRATIONS, NO_TRANSACTION, read_header

SQUAWK = Path(sysconfig.get_path("scripts")) / "squawk"
POSTGRES = "18"
LIMIT_S = 60.0

MIRROR = "add the new beside it, write both, backfill, read the new, and drop the old in a contract step"
LATER = "in a contract step: a file whose first line is `-- contract`, for when no running release names it any more"
CONCURRENTLY = "in a file that opens with `-- no transaction`, and `drop index concurrently if exists` before it"
UNIQUE = f"create unique index concurrently, {CONCURRENTLY}"
VALIDATED = (
    "in a file that opens with `-- no transaction`: add the constraint `not valid`, then `validate constraint`, "
    "with `drop constraint if exists` before both"
)
RECIPES: Mapping[str, str] = {
    "renaming-table": MIRROR,
    "renaming-column": MIRROR,
    "changing-column-type": MIRROR,
    "adding-not-nullable-field": f"{VALIDATED}; it is `check (COLUMN is not null)`. Then `set not null` scans nothing",
    "adding-required-field": "give it a constant default, or leave it nullable, backfill, and forbid null later",
    "adding-field-with-default": "add it without the default, `set default` for new rows, and backfill the old ones",
    "prefer-identity": "it fills every row by a rewrite: add a nullable bigint, backfill, and give it its default",
    "require-concurrent-index-creation": f"create index concurrently, {CONCURRENTLY}",
    "require-concurrent-index-deletion": "drop index concurrently, in a file that opens with `-- no transaction`",
    "require-concurrent-reindex": "reindex concurrently, in a file that opens with `-- no transaction`",
    "ban-concurrent-index-creation-in-transaction": "open the file with `-- no transaction`",
    "transaction-nesting": "leave begin and commit out: the file is one transaction already",
    "constraint-missing-not-valid": f"for a check or a foreign key, {VALIDATED}",
    "adding-foreign-key-constraint": VALIDATED,
    "disallowed-unique-constraint": f"{UNIQUE}; then `unique using index`",
    "adding-serial-primary-key-field": f"{UNIQUE}; then `primary key using index`",
    "ban-drop-column": LATER,
    "ban-drop-table": LATER,
    "syntax-error": "correct it: PostgreSQL will not read it either",
}
OF_CONTRACTS = frozenset({"ban-drop-column", "ban-drop-table"})  # what contract steps are for


class LintError(Exception):
    """The files cannot be judged; the message says why."""


class Finding(msgspec.Struct, frozen=True):
    """A statement that is refused; `recipe` says what to do in its place."""

    file: str
    line: int
    rule: str
    message: str
    recipe: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.message.rstrip('.')}. Instead: {self.recipe}"


class _Violation(msgspec.Struct, frozen=True):
    """What squawk writes, the part that is read."""

    line: int  # from 0
    rule_name: str
    message: str


def lint(paths: Iterable[Path] = (MIGRATIONS,)) -> tuple[Finding, ...]:
    """What is refused in these files, and in the .sql files of these directories, in order. Raises LintError."""
    found: list[Finding] = []
    for path in paths:
        for file in sorted(path.glob("*.sql")) if path.is_dir() else (path,):
            found += lint_file(file)
    return tuple(found)


def lint_file(path: Path) -> tuple[Finding, ...]:
    """What is refused in one file. Tables that the file itself makes are empty: nothing is refused on them."""
    try:
        header = read_header(path.read_text())
    except (OSError, UnicodeDecodeError) as exc:
        raise LintError(f"{path}: cannot be read: {exc}") from exc
    passed = OF_CONTRACTS if CONTRACT in header else frozenset()
    return tuple(
        Finding(str(path), each.line + 1, each.rule_name, each.message, RECIPES[each.rule_name])
        for each in _violations(path, in_transaction=NO_TRANSACTION not in header)
        if each.rule_name in RECIPES.keys() - passed
    )


def _violations(path: Path, *, in_transaction: bool) -> list[_Violation]:
    argv = [str(SQUAWK), "--reporter", "json", "--pg-version", POSTGRES]
    argv += ["--assume-in-transaction"] * in_transaction
    try:
        done = subprocess.run(
            [*argv, str(path)], capture_output=True, timeout=LIMIT_S, check=False, stdin=subprocess.DEVNULL
        )
        return msgspec.json.decode(done.stdout, type=list[_Violation])
    except (OSError, subprocess.TimeoutExpired, msgspec.DecodeError) as exc:
        raise LintError(f"{path}: squawk could not judge it: {exc}; is squawk-cli installed (extra ops)?") from exc
