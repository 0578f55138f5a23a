"""The linter: what would lock users out or break a running release is refused, with the safe way to the same end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.migrate import MIGRATIONS
from scripts.commands.db import command
from scripts.db import lint as linter
from scripts.db.lint import RECIPES, Finding, LintError, lint, lint_file
from scripts.exits import Exit

# A statement, the rule that refuses it, and words of the recipe.
UNSAFE = [
    ("alter table a rename to b", "renaming-table", "add the new beside it"),
    ("alter table a rename column x to y", "renaming-column", "add the new beside it"),
    ("alter table a alter column x type bigint", "changing-column-type", "add the new beside it"),
    ("alter table a alter column x set not null", "adding-not-nullable-field", "check (COLUMN is not null)"),
    ("alter table a add column x int not null", "adding-required-field", "constant default"),
    ("create index i on a (x)", "require-concurrent-index-creation", "create index concurrently"),
    ("create unique index if not exists i on a (x)", "require-concurrent-index-creation", "-- no transaction"),
    (
        "drop index concurrently if exists i;\ncreate index concurrently i on a (x)",
        "ban-concurrent-index-creation-in-transaction",
        "-- no transaction",
    ),
    ("drop index i", "require-concurrent-index-deletion", "drop index concurrently"),
    ("reindex table a", "require-concurrent-reindex", "reindex concurrently"),
    ("alter table a add column x uuid default gen_random_uuid()", "adding-field-with-default", "set default"),
    ("alter table a add column x float default random()", "adding-field-with-default", "backfill"),
    ("alter table a add column x bigserial", "prefer-identity", "rewrite"),
    ("alter table a add constraint c check (x > 0)", "constraint-missing-not-valid", "not valid"),
    ("alter table a add foreign key (x) references b (id)", "adding-foreign-key-constraint", "validate constraint"),
    ("alter table a add column x bigint references b (id)", "adding-foreign-key-constraint", "validate constraint"),
    ("alter table a add constraint c unique (x)", "disallowed-unique-constraint", "unique using index"),
    ("alter table a add primary key (id)", "adding-serial-primary-key-field", "primary key using index"),
    ("alter table a drop column x", "ban-drop-column", "-- contract"),
    ("drop table a", "ban-drop-table", "-- contract"),
    ("begin; select 1; commit", "transaction-nesting", "leave begin and commit out"),
    ("alter tabel a", "syntax-error", "correct it"),
    (
        "alter table a add constraint c check (x > 0) not valid;\nalter table a validate constraint c",
        "constraint-missing-not-valid",
        "-- no transaction",
    ),
]
VALIDATED = """alter table a drop constraint if exists c;
alter table a add constraint c check (x is not null) not valid;
alter table a validate constraint c;
alter table a alter column x set not null;
alter table a drop constraint c;"""
SAFE = [
    "alter table a add column x timestamptz",
    "alter table a add column x timestamptz default now()",  # evaluated once, and kept beside the table
    "alter table a add column x int not null default 0",
    "alter table a add constraint c check (x > 0) not valid",
    "alter table a alter column x set default gen_random_uuid()",
    "alter table a add constraint c unique using index i",
    "create table t (id int primary key, x int); create index i on t (x); alter table t add check (x > 0)",
    "-- no transaction\ndrop index concurrently if exists i;\ncreate index concurrently i on a (x)",
    f"-- no transaction\n{VALIDATED}",
    "-- contract\nalter table a drop column x; drop table b",
    "comment on table a is 'alter table a rename to b'",
    "-- squawk-ignore renaming-table\nalter table a rename to b",
]


def judge(tmp_path: Path, sql: str) -> tuple[Finding, ...]:
    path = tmp_path / "0001_a.sql"
    path.write_text(f"{sql};\n")
    return lint_file(path)


@pytest.mark.parametrize(("sql", "rule", "recipe"), UNSAFE)
def test_an_unsafe_statement_is_refused_with_the_safe_recipe(tmp_path: Path, sql: str, rule: str, recipe: str) -> None:
    found = {finding.rule: finding.recipe for finding in judge(tmp_path, sql)}
    assert recipe in found[rule]


def test_every_recipe_has_a_case() -> None:
    assert {rule for _, rule, _ in UNSAFE} == RECIPES.keys()


@pytest.mark.parametrize("sql", SAFE)
def test_a_safe_statement_passes(tmp_path: Path, sql: str) -> None:
    assert judge(tmp_path, sql) == ()


@pytest.mark.parametrize("sql", [case[0] for case in UNSAFE if not case[1].startswith("ban-drop")])
def test_a_contract_step_may_drop_and_do_nothing_else_unsafe(tmp_path: Path, sql: str) -> None:
    assert judge(tmp_path, f"-- contract\n{sql}") != ()


def test_not_null_needs_a_check_of_this_very_column(tmp_path: Path) -> None:
    other = VALIDATED.replace("x is not null", "y is not null")
    assert [f.rule for f in judge(tmp_path, f"-- no transaction\n{other}")] == ["adding-not-nullable-field"]


def test_the_projects_own_migrations_pass() -> None:
    assert len(list(MIGRATIONS.glob("*.sql"))) >= 4
    result = CliRunner().invoke(command, ["lint"])
    assert (result.exit_code, result.output) == (0, "nothing is refused\n")


def test_the_command_names_file_and_line_and_counts(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("select 1;\nalter table a rename to b;\n")
    (tmp_path / "0002_b.sql").write_text("drop table c;\n")
    result = CliRunner().invoke(command, ["lint", str(tmp_path)])
    assert result.exit_code == Exit.ERROR
    lines = result.output.splitlines()
    assert [line.partition(": ")[0] for line in lines[:2]] == [f"{tmp_path}/0001_a.sql:2", f"{tmp_path}/0002_b.sql:1"]
    assert lines[-1] == "Error: 2 statements refused"
    alone = CliRunner().invoke(command, ["lint", str(tmp_path / "0002_b.sql")])
    assert alone.output.splitlines()[-1] == "Error: 1 statement refused"
    machine = json.loads(CliRunner().invoke(command, ["lint", str(tmp_path), "--json"]).stdout)
    assert [each["rule"] for each in machine["findings"]] == ["renaming-table", "ban-drop-table"]


def test_what_cannot_be_judged_is_an_error_and_never_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LintError, match="cannot be read"):
        lint([tmp_path / "none.sql"])
    monkeypatch.setattr(linter, "SQUAWK", tmp_path / "squawk")
    with pytest.raises(LintError, match="squawk could not judge it"):
        judge(tmp_path, "select 1")
