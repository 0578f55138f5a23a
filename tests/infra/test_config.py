"""Stack files: the committed ones can be used, and a wrong key is named with what would be right."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml
from msgspec import inspect

from infra.config.database import Database
from infra.config.platform import Profile
from infra.errors import ConfigError
from infra.plan.programs import PROGRAMS, Program
from infra.stackfile import KEY, ROOT, STACKS, StackFile, json_schema, platform_of, read_stack, stacks
from slo.yamlfile import YamlFileError

BALANCER = """{host: x.elb.amazonaws.com,
  listener: "arn:aws:elasticloadbalancing:eu-west-1:111111111111:listener/app/x/0a/0b"}"""
EXISTING = """existing:
  id: vpc-0123456789abcdef0
  subnets:
    public: {}
    private: {az1: subnet-0aaaaaaaaaaaaaaaa}
    isolated: {az1: subnet-0bbbbbbbbbbbbbbbb, az2: subnet-0cccccccccccccccc, az4: subnet-0dddddddddddddddd}
"""


def fields(kind: inspect.Type, path: str = "") -> Iterator[tuple[str, inspect.Field]]:
    """Every key of a struct and of the structs in it."""
    match kind:
        case inspect.StructType(fields=found):
            for field in found:
                yield f"{path}.{field.encode_name}", field
                yield from fields(field.type, f"{path}.{field.encode_name}")
        case inspect.Metadata(type=inner):
            yield from fields(inner, path)
        case inspect.UnionType(types=types):
            for each in types:
                yield from fields(each, path)


KEYS = dict(fields(inspect.type_info(StackFile)))


def unbounded(kind: inspect.Type) -> bool:
    match kind:
        case inspect.Metadata(type=inner):
            found = unbounded(inner)
        case inspect.UnionType(types=types):
            found = any(map(unbounded, types))
        case inspect.IntType(ge=low, le=high):
            found = low is None or high is None
        case inspect.StrType(pattern=pattern, max_length=most):
            found = pattern is None and most is None
        case inspect.DictType(max_length=most, key_type=key, value_type=value):
            found = most is None or unbounded(key) or unbounded(value)
        case inspect.VarTupleType(max_length=most, item_type=item):
            found = most is None or unbounded(item)
        case _:
            found = False
    return found


def broken(tmp_path: Path, yaml_below_platform: str) -> str:
    """What reading prod's file says when these keys stand in it instead of its own."""
    document = yaml.safe_load((STACKS / "Pulumi.prod.yaml").read_text())
    document["config"][KEY] |= yaml.safe_load(yaml_below_platform)
    (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    with pytest.raises(YamlFileError) as caught:
        read_stack("prod", tmp_path)
    return str(caught.value)


@pytest.mark.parametrize("name", stacks())
def test_a_committed_stack_can_be_used(name: str) -> None:
    """Each file is read, and its profile is the one in its name."""
    assert name == read_stack(name).platform.profile


def test_every_profile_has_a_stack() -> None:
    """There is one file for each."""
    assert sorted(Profile) == stacks()


def test_pulumi_finds_the_program_and_its_stacks() -> None:
    """The root Pulumi.yaml leads to the directory of both, and to an interpreter that `make` makes."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    assert [STACKS, STACKS] == [ROOT / project[key] for key in ("main", "stackConfigDir")]
    assert KEY.partition(":")[0] == project["name"]


def test_no_two_stacks_share_an_address() -> None:
    """So that any two can be joined."""
    blocks = [ipaddress.ip_network(read_stack(name).platform.network.cidr) for name in stacks()]
    assert [] == [pair for pair in combinations(blocks, 2) if pair[0].overlaps(pair[1])]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_has_a_line_of_help_and_a_bound(key: str) -> None:
    """An editor shows the line; the bound refuses what AWS would refuse much later."""
    kind = KEYS[key].type
    assert isinstance(kind, inspect.Metadata)
    assert (kind.extra_json_schema or {}).get("description")
    assert not unbounded(kind)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_the_schema_for_editors_is_fresh(program: Program) -> None:
    """Writing it anew changes nothing; if it does: python -m infra.plan.programs."""
    assert json_schema(program.kind) == program.schema.read_text()


@pytest.mark.parametrize(
    ("program", "name"), [(program, name) for program in PROGRAMS.values() for name in program.stacks]
)
def test_editors_take_the_committed_stacks(program: Program, name: str) -> None:
    """The file names its schema, which agrees with the program and refuses a key that the program does not know."""
    schema = jsonschema.Draft202012Validator(json.loads(program.schema.read_text()))
    text = (program.directory / f"Pulumi.{name}.yaml").read_text()
    assert f"# yaml-language-server: $schema={program.schema.name}\n" in text
    document = yaml.safe_load(text)
    assert [] == list(schema.iter_errors(document))
    document["config"]["netwrk"] = {}
    assert 1 == len(list(schema.iter_errors(document)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ("netwrk: {}", "netwrk: unknown key; the keys known here are profile, region"),
        ("network: {nat: two}", "network.nat: invalid enum value 'two'; one of none, per-zone, regional, single"),
        ("network: {cidr: 8.8.0.0/16}", "network.cidr: 8.8.0.0/16 is public; take one of 10.0.0.0/8"),
        ("network: {cidr: 10.0.1.0/16}", "network.cidr: 10.0.1.0/16 has host bits set; give the first address"),
        ("network: {zones: [az1, az1, az2]}", "network.zones: az1 is there twice"),
        (
            "network: {nat: none}",
            "network.endpoints: without nat nothing reaches ec2, eks, elasticloadbalancing, sqs, ssm",
        ),
        ("network: {endpoints: [sts, sts]}", "network.endpoints: sts is there twice"),
        ("network: {nat: single}", "network.nat: single is not for prod; one zone would take the others with it"),
        ("network: {zones: [az1, az2]}", "network.zones: az1, az2 is not for prod; name three zones"),
        ("network: {zones: [az1, az2, az3]}", "network.zones: az3 of us-east-1 has no EKS; take of az1, az2, az4, az5"),
        ("network: {flow_log_days: 0}", "network.flow_log_days: 0 is not for prod"),
        ("network: {flow_log_days: 8}", "network.flow_log_days: invalid enum value 8; one of 0, 1, 3, 5"),
        (
            "network:\n  " + EXISTING.replace("\n", "\n  "),
            "network.existing.subnets.private: has az1; give a subnet for each",
        ),
        (
            "network:\n  " + EXISTING.replace("subnet-0a", "subnet-x").replace("\n", "\n  "),
            "network.existing.subnets.private.az1: expected text matching regex",
        ),
        (
            "database: {password: managed, replicas: 1}",
            "database.password: RDS makes no replica of a database whose password it",
        ),
        (
            "database: {backup_days: 0, replicas: 1}",
            "database.backup_days: RDS makes replicas only of a database with backups",
        ),
        ("database: {backup_days: 6}", "database.backup_days: 6 is not for prod; 7 or more are expected"),
        ("database: {multi_az: false}", "database.multi_az: false is not for prod"),
        ("database: {deletion_protection: false}", "database.deletion_protection: false is not for prod"),
        ("database: {replicas: 9}", "database.replicas: expected a whole number <= 5, found '9'"),
        ("database: {backup_window: '03:00-03:20'}", "database.backup_window: 03:00-03:20 is short; give 30 minutes"),
        (
            "database: {maintenance_window: 'sun:05:00-sun:05:29'}",
            "database.maintenance_window: sun:05:00-sun:05:29 is short",
        ),
        (
            "database: {maintenance_window: 'sun:03:30-sun:05:00'}",
            "database.maintenance_window: sun:03:30-sun:05:00 meets backup_window, 03:00-04:00; part them",
        ),
        ("database: {backup_window: '23:45-00:15', maintenance_window: 'sun:23:00-mon:00:00'}", "database.maintenance"),
        ("database: {backup_window: '00:00-00:30', maintenance_window: 'sun:23:00-mon:00:15'}", "database.maintenance"),
        (
            "database: {replicas: 0, proxy: false, replica_of: 'arn:aws:rds:us-east-1:111111111111:db:x'}",
            "database.replica_of: is in us-east-1 too",
        ),
        (
            "database: {replicas: 1, proxy: false, replica_of: 'arn:aws:rds:eu-west-1:111111111111:db:x'}",
            "database.replicas: of a replica are not",
        ),
        ("edge: {zone: x.example, checkers: any}", "edge.checkers: expected text matching regex"),
        ("edge: {zone: x_y, checkers: pl-01234567}", "edge.zone: expected text matching regex"),
        (
            f"edge: {{zone: x.example, checkers: pl-01234567, load_balancer: {BALANCER}}}",
            "edge.load_balancer.listener: is not in us-east-1 of 111111111111",
        ),
        ("edge: {zone: x.example, checkers: pl-01234567, host: origin}", "edge.host: origin is what CloudFront asks"),
        ("archive: {cold_days: 365, keep_years: 1}", "archive.cold_days: 365 is no day before a file is deleted"),
        ("archive: {package: latest}", "archive.package: expected text matching regex"),
        ("cache: {replicas: 0}", "cache.replicas: 0 is not for prod"),
        ("watch: {on_call: []}", "watch.on_call: nobody is not for prod; name an address"),
        ("watch: {on_call: [me]}", "watch.on_call[0]: expected text"),
        ("recovery: {}", "recovery.copy_to: nowhere is not for prod; name the second region"),
        ("recovery: {copy_to: us-east-1}", "recovery.copy_to: us-east-1 is where it is"),
        ("recovery: {copy_to: eu-west-1, keep_days: 0}", "recovery.copy_to: there is no vault to copy from"),
        ("recovery: {copy_to: eu-west-1, keep_days: 7}", "recovery.keep_days: 7 is not for prod"),
        ("database: {replicas: 1}\nnight: {stop: '20:00'}", "night.stop: RDS stops no database with replicas"),
        ("night: {stop: '20:00'}", "night.stop: 20:00 is not for prod"),
        ("night: {stop: '06:00'}", "night.stop: 06:00 is not after start"),
        ("night: {time_zone: Berlin}", "night.time_zone: there is no Berlin"),
        ("region: eu-west-1", "region: prod is not in eu-west-1; it has its home in us-east-1"),
        ("name: a--b", "name: expected text matching regex"),
        ("name: ab-", "name: expected text matching regex"),
        ("name: a", "name: expected "),
        ("account: 111111111111", "account: expected text, got a whole number, found '111111111111'"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(tmp_path: Path, changes: str, words: str) -> None:
    """File, line, key, what was found, what to do."""
    said = broken(tmp_path, changes)
    line, _, rest = said.removeprefix(f"{tmp_path}/Pulumi.prod.yaml:").partition(": ")
    assert rest.startswith(f"config.{KEY}.{words}")
    key = words.partition(":")[0].rpartition(".")[2]
    at = (tmp_path / "Pulumi.prod.yaml").read_text().splitlines()[int(line) - 1]
    assert key in at or key not in changes


def test_default_providers_are_refused(tmp_path: Path) -> None:
    """Without that guard a resource could be made in whatever account and region the shell has."""
    text = (STACKS / "Pulumi.prod.yaml").read_text().replace('["*"]', "[]")
    (tmp_path / "Pulumi.prod.yaml").write_text(text)
    with pytest.raises(YamlFileError, match="disable-default-providers"):
        read_stack("prod", tmp_path)


def test_a_stack_that_is_not_there_is_named_with_those_that_are() -> None:
    """Whatever was typed."""
    with pytest.raises(ConfigError, match=r"no stack prdo .* dev, dr, prod, staging"):
        read_stack("prdo")
    with pytest.raises(ConfigError, match="no stack"):
        read_stack("../prod")


def test_a_program_refuses_what_its_file_would_refuse() -> None:
    """`pulumi config set` may have changed it since."""
    with pytest.raises(ConfigError, match=r"config primetrade:platform: .*missing required field `profile`"):
        platform_of({})


def test_a_zone_that_the_second_region_does_not_have_is_refused(tmp_path: Path) -> None:
    """The default is one of production's region."""
    text = (STACKS / "Pulumi.dr.yaml").read_text().replace("      zones: [az1, az2, az3]\n", "")
    (tmp_path / "Pulumi.dr.yaml").write_text(text)
    with pytest.raises(YamlFileError, match=r"network\.zones: az4 of eu-west-1 has no EKS; take of az1, az2, az3"):
        read_stack("dr", tmp_path)


@pytest.mark.parametrize("maintenance", ["sun:04:00-sun:05:00", "sat:23:30-sun:00:30", "mon:02:00-mon:03:00"])
def test_windows_that_only_touch_are_taken(maintenance: str) -> None:
    """Backups run from 03:00 to 04:00."""
    assert maintenance == msgspec.convert({"maintenance_window": maintenance}, Database).maintenance_window
