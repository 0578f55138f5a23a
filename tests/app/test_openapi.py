"""OpenAPI: the same routes, the same structs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from app.openapi import slugs
from app.problems import CATALOGUE
from tests.app.test_access import OPERATIONS
from tests.app.world import Api


@pytest.fixture
def page(api: Api) -> dict[str, Any]:
    return dict(api.get("/openapi.json").get_json())


def routes(api: Api) -> set[tuple[str, str]]:
    return {
        (re.sub(r"<[^>]*:(\w+)>", r"{\1}", rule.rule), method)
        for rule in api.app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }


def described(page: dict[str, Any]) -> set[tuple[str, str]]:
    return {(path, method.upper()) for path, methods in page["paths"].items() for method in methods}


def test_the_url_map_and_the_description_are_the_same(api: Api, page: dict[str, Any]) -> None:
    assert routes(api) == described(page)
    assert ("/tasks/{task_id}/assign", "POST") in routes(api)


def test_services_left_out_are_neither_served_nor_described(serve: Callable[..., Api]) -> None:
    api = serve(SERVICES="auth")
    assert routes(api) == described(api.get("/openapi.json").get_json())
    assert {path for path, _ in routes(api)} == {"/health", "/openapi.json", "/auth/register", "/auth/login"}
    assert api.get("/tasks").status_code == 404


def test_every_reference_resolves_and_every_operation_is_named_once(page: dict[str, Any]) -> None:
    assert page["openapi"] == "3.1.0"
    names = [operation["operationId"] for methods in page["paths"].values() for operation in methods.values()]
    assert sorted(set(names)) == sorted(names)
    references = set(re.findall(r'"\$ref": ?"#/components/schemas/(\w+)"', json.dumps(page)))
    assert references <= set(page["components"]["schemas"])
    assert "NewTask" in references


def test_bounds_are_those_that_are_enforced(page: dict[str, Any]) -> None:
    title = page["components"]["schemas"]["NewTask"]["properties"]["title"]
    assert (title["minLength"], title["maxLength"]) == (1, 200)
    assert page["components"]["schemas"]["NewTask"]["additionalProperties"] is False
    limit = next(p for p in page["paths"]["/tasks"]["get"]["parameters"] if p["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 100)


def test_the_headers_a_write_takes_and_gives_are_described(api: Api, page: dict[str, Any]) -> None:
    owner = api.person()
    created = api.post("/tasks", {"title": "t"}, owner)
    assert {"ETag", "Location"} <= set(created.headers.keys())
    assert set(page["paths"]["/tasks"]["post"]["responses"]["201"]["headers"]) == {"ETag", "Location"}
    path = created.headers["Location"]
    tasks = page["paths"]["/tasks/{task_id}"]
    assert "ETag" in api.get(path, owner).headers
    assert set(tasks["get"]["responses"]["200"]["headers"]) == {"ETag"}
    for operation in (tasks["patch"], tasks["delete"], page["paths"]["/tasks/{task_id}/assign"]["post"]):
        assert "If-Match" in [parameter["name"] for parameter in operation["parameters"]]
    refused = api.call("DELETE", path, owner, headers={"If-Match": "nonsense"})
    assert refused.get_json()["type"].endswith(tasks["delete"]["responses"][str(refused.status_code)]["description"])


def test_every_operation_may_find_the_database_busy(page: dict[str, Any]) -> None:
    for methods in page["paths"].values():
        for operation in methods.values():
            assert "database-busy" in operation["responses"]["503"]["description"]


def test_patterns_are_regular_expressions_of_the_description_too(page: dict[str, Any]) -> None:
    r"""JSON Schema means ECMA-262's, which knows neither \A nor \Z."""
    patterns = re.findall(r'"pattern": ?"([^"]*)"', json.dumps(page))
    assert patterns
    assert not [pattern for pattern in patterns if re.search(r"\\[AZ]", pattern)]


def test_every_problem_an_operation_names_is_in_the_catalogue() -> None:
    assert {slug for operation in OPERATIONS for slug in slugs(operation)} <= set(CATALOGUE)
