"""The charts as packages: schema, README and lint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import helm_python
import jsonschema
import pytest

from tests.helm.readme import commented, default, readme
from tests.helm.render import CASES, HELM, Object, case_values, read

CHARTS = ("slot", "router")


def schema(chart: str) -> Object:
    found: Object = json.loads((HELM / chart / "values.schema.json").read_text())
    return found


def open_objects(node: Object, path: str = "") -> Iterator[str]:
    """Objects with named keys that let others in."""
    if "properties" in node:
        if node.get("additionalProperties") is not False:
            yield path
        for name, each in node["properties"].items():
            yield from open_objects(each, f"{path}.{name}")
    elif isinstance(node.get("additionalProperties"), dict):
        yield from open_objects(node["additionalProperties"], f"{path}.*")


def leaves(values: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(values, dict) and values:
        for name, each in values.items():
            yield from leaves(each, (*path, name))
    else:
        yield path


@pytest.mark.parametrize("chart", CHARTS)
def test_the_schema_is_closed(chart: str) -> None:
    """A misspelt value is refused wherever keys have names."""
    assert [] == list(open_objects(schema(chart)))


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("slot", {"replica": 3}),
        ("slot", {"image": {"repositry": "shop"}}),
        ("slot", {"image": {"tag": "latest"}}),
        ("slot", {"image": {"digest": "sha256:1234"}}),
        ("slot", {"slot": "red"}),
        ("slot", {"security": {"runAsUser": 0}}),
        ("slot", {"config": {"PORT": 8080}}),
        ("slot", {"ports": {"traffic": 80}}),
        ("slot", {"migration": {"releaseId": "Not A Name"}}),
        ("router", {"driver": "nginx"}),
        ("router", {"weights": {"blue": 100}}),
        ("router", {"gateway": {"requestTimeout": "soon"}}),
        ("router", {"tests": {"image": "shop:1.0.0"}}),
        ("router", {"preview": {"key": "short"}}),
    ],
)
def test_the_schema_refuses(chart: str, values: Object) -> None:
    """Helm says no before anything is rendered, and names the value."""
    with helm_python.Chart.load(HELM / chart) as loaded, pytest.raises(helm_python.HelmValuesError) as refused:
        loaded.validate_schema(values)
    assert str(next(iter(values))) in str(refused.value)


@pytest.mark.parametrize("chart", CHARTS)
def test_the_defaults_satisfy_the_schema_and_it_names_no_other_value(chart: str) -> None:
    """A value that the schema names has its default in values.yaml."""
    values, wanted = read(HELM / chart / "values.yaml"), schema(chart)

    jsonschema.validate(values, wanted)
    assert set(wanted["properties"]) - {"global"} == set(values)


@pytest.mark.parametrize("chart", CHARTS)
def test_every_value_has_a_comment(chart: str) -> None:
    """Each value, or the map it stands in, says what it is."""
    text, values = (HELM / chart / "values.yaml").read_text(), read(HELM / chart / "values.yaml")
    told = {path for path, words in commented(text) if words}

    assert [] == [path for path in leaves(values) if not any(path[:depth] in told for depth in range(len(path) + 1))]
    for path in told:
        default(values, path)


@pytest.mark.parametrize("chart", CHARTS)
def test_the_readme_is_fresh(chart: str) -> None:
    """Its table is made of values.yaml: `python -m tests.helm.write`."""
    assert (HELM / chart / "README.md").read_text() == readme(HELM / chart)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.parent.name}-{case.stem}")
def test_helm_finds_nothing_to_complain_about(case: Path) -> None:
    """No warning and no error of `helm lint`; that a chart could have an icon is neither."""
    report = helm_python.lint(case.parent.parent, case_values(case), kube_version="v1.34.0")

    assert [] == report["errors"]
    assert [] == [message for message in report["messages"] if message["severity"] > 1]
