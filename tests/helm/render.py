"""The charts rendered in this process by Helm's own SDK, and Kubernetes' word on what came out."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import jsonschema
import kubernetes_validate
import yaml

ROOT = Path(__file__).parent.parent.parent
HELM = ROOT / "helm"
CASES = sorted(HELM.glob("*/ci/*-values.yaml"))
KUBERNETES = "1.34"
SCHEMAS = Path(__file__).with_name("schemas")
GOLDEN = Path(__file__).with_name("golden")
NAMESPACE = "shop-space"

Object = dict[str, Any]


def read(path: Path) -> Object:
    return yaml.safe_load(path.read_text()) or {}


def laid(under: Object, over: Object) -> Object:
    """Two files of values as Helm lays the second over the first."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = laid(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def case_values(case: Path) -> Object:
    """The values of a case; those of the task API lie over the application's own."""
    own = case.name.startswith("task-api")
    return laid(read(HELM / "task-api.yaml"), read(case)) if own else read(case)


def release_name(chart: str, values: Object) -> str:
    if chart == "router":
        return "shop"
    return "shop-expand" if values.get("render") == "migration" else f"shop-{values.get('slot', 'blue')}"


@cache
def loaded(chart: str) -> helm_python.Chart:
    """A chart, read once: it cannot change in the hand."""
    return helm_python.Chart.load(HELM / chart)


def files(chart: str, values: Object, name: str = "") -> dict[str, str]:
    """Template to text. Raises HelmError when the schema or a guard refuses the values."""
    chart_read = loaded(chart)
    chart_read.validate_schema(values)
    return chart_read.render(values, name=name or release_name(chart, values), namespace=NAMESPACE)


def objects(texts: dict[str, str]) -> list[Object]:
    """Every manifest, in the order of the templates' names."""
    manifests = (texts[name] for name in sorted(texts) if name.endswith(".yaml"))
    return [found for text in manifests for found in yaml.safe_load_all(text) if found]


def render(chart: str, values: Object, name: str = "") -> list[Object]:
    return objects(files(chart, values, name))


def only(found: list[Object], kind: str) -> Object:
    """The one object of a kind. Raises ValueError if there is none or another."""
    (one,) = [each for each in found if each["kind"] == kind]
    return one


def refusal(manifest: Object) -> str | None:
    """What Kubernetes (or the operator that owns the kind) would say against a manifest; None if nothing."""
    group = manifest["apiVersion"].replace("/", "-")
    custom = SCHEMAS / f"{group}-{manifest['kind']}.json"
    try:
        if custom.exists():
            jsonschema.validate(manifest, json.loads(custom.read_text()))
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except jsonschema.ValidationError as exc:
        return f"{manifest['kind']} {'.'.join(str(step) for step in exc.path)}: {exc.message}"
    return None


def golden(case: Path) -> Path:
    return GOLDEN / f"{case.parent.parent.name}-{case.name.removesuffix('-values.yaml')}.yaml"


def golden_text(case: Path) -> str:
    """What a case renders to, notes first, without the empty lines that templates leave."""
    chart = case.parent.parent.name
    texts = files(chart, case_values(case))
    notes = next(text for name, text in texts.items() if name.endswith("NOTES.txt"))
    parts = ["\n".join(f"# {line}".rstrip() for line in notes.strip().splitlines())]
    for name in sorted(texts):
        lines = [line for line in texts[name].splitlines() if line.strip()]
        if lines and name.endswith(".yaml"):
            parts.append("\n".join([f"# {name}", *lines]))
    return "# Generated, do not edit: python -m tests.helm.write\n" + "\n---\n".join(parts) + "\n"
