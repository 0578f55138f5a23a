"""OpenAPI 3.1, written from the operations and the structs that validate."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from app.problems import CATALOGUE, CONTENT_TYPE, ProblemDetails
from app.service import Operation

REFERENCE = "#/components/schemas/{name}"
STRING = {"type": "string"}
HEADERS = {
    "ETag": {"description": "The task's version, for If-Match.", "schema": STRING},
    "Location": {"description": "The path of what was created.", "schema": STRING},
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the task as it was read: nothing is changed if it is another by now. * for any.",
    "schema": STRING,
}


def document(operations: Iterable[Operation], version: str) -> bytes:
    """The description as JSON."""
    operations = list(operations)
    kinds: list[type[msgspec.Struct]] = [ProblemDetails]
    for operation in operations:
        kinds += [kind for kind in (operation.body, operation.query, operation.answer) if kind is not None]
    unique = list(dict.fromkeys(kinds))
    schemas, components = msgspec.json.schema_components(unique, ref_template=REFERENCE)
    by_kind = dict(zip(unique, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, by_kind, components)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Primetrade task API", "version": version},
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            },
        }
    )


def _describe(
    operation: Operation, by_kind: dict[type[msgspec.Struct], dict[str, Any]], components: dict[str, Any]
) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if operation.answer is not None:
        success["content"] = {"application/json": {"schema": by_kind[operation.answer]}}
    if operation.headers:
        success["headers"] = {name: HEADERS[name] for name in operation.headers}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _path_parameters(operation.path),
        "responses": {str(operation.status): success} | _problems(operation, by_kind[ProblemDetails]),
    }
    if operation.access != "public":
        described["security"] = [{"token": []}]
    if operation.body is not None:
        content = {"application/json": {"schema": by_kind[operation.body]}}
        described["requestBody"] = {"required": True, "content": content}
    if operation.query is not None:
        described["parameters"] += [
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in components[operation.query.__name__]["properties"].items()
        ]
    if _conditional(operation):
        described["parameters"].append(IF_MATCH)
    return described


def _conditional(operation: Operation) -> bool:
    """Whether it reads If-Match."""
    return "version-mismatch" in operation.problems


def _path_parameters(path: str) -> list[dict[str, Any]]:
    schema = {"type": "integer", "minimum": 0}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in re.findall(r"{(\w+)}", path)]


def slugs(operation: Operation) -> list[str]:
    """Every problem an operation may answer with."""
    found = [
        *operation.problems,
        "internal-error",
        "database-unavailable",
        "database-busy",
        "deadline-exceeded",
        "overloaded",
    ]
    if operation.body is not None:
        found += ["malformed-body", "body-timeout", "body-too-large", "unsupported-media-type", "invalid-request"]
    if operation.query is not None or _conditional(operation):
        found.append("invalid-request")
    if operation.access != "public":
        found += ["not-authenticated", "rate-limited"]
    elif operation.limited:
        found.append("rate-limited")
    if operation.access == "admin":
        found.append("forbidden")
    return found


def _problems(operation: Operation, schema: dict[str, Any]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for slug in slugs(operation):
        by_status.setdefault(CATALOGUE[slug][0], []).append(slug)
    return {
        str(status): {
            "description": ", ".join(dict.fromkeys(found)),
            "content": {CONTENT_TYPE: {"schema": schema}},
        }
        for status, found in sorted(by_status.items())
    }
