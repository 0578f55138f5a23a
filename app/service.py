"""A service is a blueprint whose operations say what they take, give and allow; OpenAPI reads the same words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, TypeVar

import msgspec
from flask import Blueprint, Request, Response, request
from werkzeug.exceptions import ClientDisconnected

from app.auth.tokens import Identity, not_authenticated
from app.call import Call, current
from app.problems import Problem

JSON = "application/json"
MAX_BODY = 64 * 1024  # bytes
MAX_ID = 2**63 - 1

Access = Literal["public", "user", "admin"]
Handler = TypeVar("Handler", bound=Callable[..., Any])


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method on one path. `path` is written as in OpenAPI, and is the route's name in metrics and logs."""

    name: str
    method: str
    path: str
    summary: str
    access: Access
    limited: bool
    body: type[msgspec.Struct] | None
    query: type[msgspec.Struct] | None
    answer: type[msgspec.Struct] | None
    status: int
    headers: tuple[str, ...]
    problems: tuple[str, ...]
    shared_s: int  # seconds that anybody, a CDN too, may keep the answer; it must be the same for all


class Reply(msgspec.Struct, frozen=True):
    """A handler's answer where it needs headers of its own."""

    value: msgspec.Struct
    headers: Mapping[str, str]


class Service(Blueprint):
    """A blueprint that knows its operations."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"app.{name}")
        self.operations: list[Operation] = []

    def operation(  # noqa: PLR0913  # the words of an operation, all named at the call
        self,
        method: str,
        path: str,
        summary: str,
        *,
        access: Access = "user",
        limited: bool = True,
        body: type[msgspec.Struct] | None = None,
        query: type[msgspec.Struct] | None = None,
        answer: type[msgspec.Struct] | None = None,
        status: int = 200,
        headers: tuple[str, ...] = (),
        problems: tuple[str, ...] = (),
        shared_s: int = 0,
    ) -> Callable[[Handler], Handler]:
        """Register a handler. It gets `user`, `body` and `query` by name where the operation has them, and path ids."""

        def register(handler: Handler) -> Handler:
            operation = Operation(
                name=handler.__name__,
                method=method,
                path=path,
                summary=summary,
                access=access,
                limited=limited,
                body=body,
                query=query,
                answer=answer,
                status=status,
                headers=headers,
                problems=problems,
                shared_s=shared_s,
            )
            self.operations.append(operation)
            rule = re.sub(r"{(\w+)}", rf"<int(max={MAX_ID}):\1>", path)
            self.add_url_rule(rule, handler.__name__, _view(operation, handler), methods=[method])
            return handler

        return register


def _view(operation: Operation, handler: Callable[..., Any]) -> Callable[..., Response]:
    def view(**arguments: Any) -> Response:
        call = current.get()
        call.route = operation.path
        incoming: Request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # the proxy's documented way to its object
        if operation.access != "public":
            arguments["user"] = authenticate(call, incoming, operation)
        elif operation.limited:
            _count(call, call.client)
        if operation.body is not None:
            arguments["body"] = read_body(incoming, operation.body)
        if operation.query is not None:
            arguments["query"] = read_query(incoming, operation.query)
        answer = _respond(handler(**arguments), operation.status)
        return _share(answer, incoming, operation.shared_s) if operation.shared_s else answer

    return view


def authenticate(call: Call, incoming: Request, operation: Operation) -> Identity:
    """Who asks, counted against their limit. Raises Problem: 401 (counted against the address), 403, 429."""
    runtime = call.runtime
    scheme, _, token = incoming.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    try:
        if scheme.lower() != "bearer" or not token:
            raise not_authenticated("Send `Authorization: Bearer <access token>`; POST /auth/login gives one.")
        user = runtime.tokens.verify(token)
    except Problem:
        _count(call, call.client)
        raise
    call.user_id = user.id
    _count(call, f"user:{user.id}")
    if operation.access == "admin" and not user.is_admin:
        raise Problem("forbidden", "Only administrators may do this.")
    return user


def _count(call: Call, key: str) -> None:
    if not call.copy:
        call.runtime.limiter.take(call.runtime.requests, key)


def read_body(incoming: Request, kind: type[msgspec.Struct]) -> msgspec.Struct:
    """The JSON body as a struct. Raises Problem: 400, 408, 415, 422; and werkzeug's 413."""
    if incoming.mimetype != JSON:
        raise Problem("unsupported-media-type", f"Expected application/json, got {incoming.mimetype or 'nothing'}.")
    try:
        raw = incoming.get_data(cache=False)
    except ClientDisconnected:  # werkzeug's word for a time-out (app/bodies.py), too
        raise Problem("body-timeout") from None
    try:
        return _decoder(kind).decode(raw)
    except msgspec.ValidationError as exc:
        raise Problem("invalid-request", str(exc)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise Problem("malformed-body", str(exc)) from None


def read_query(incoming: Request, kind: type[msgspec.Struct]) -> msgspec.Struct:
    """The query string as a struct; each name at most once. Raises Problem (422)."""
    found: dict[str, str] = {}
    if incoming.query_string:
        for name, values in incoming.args.lists():
            if len(values) > 1:
                raise Problem("invalid-request", f"Query parameter {name} is given {len(values)} times.")
            found[name] = values[0]
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as exc:
        raise Problem("invalid-request", f"Query: {exc}") from None


@lru_cache
def _decoder(kind: type[msgspec.Struct]) -> msgspec.json.Decoder[msgspec.Struct]:
    return msgspec.json.Decoder(kind)


def _share(answer: Response, incoming: Request, seconds: int) -> Response:
    """Say that it may be kept, and 304 to whoever has it."""
    answer.cache_control.public = True
    answer.cache_control.max_age = seconds
    answer.add_etag()
    answer.make_conditional(incoming)
    return answer


_ENCODER = msgspec.json.Encoder()


def _respond(answer: msgspec.Struct | Response | None, status: int) -> Response:
    if isinstance(answer, Response):
        return answer
    if answer is None:
        response = Response(status=status)
        response.headers.pop("Content-Type", None)
        return response
    if isinstance(answer, Reply):
        return Response(_ENCODER.encode(answer.value), status, answer.headers, content_type=JSON)
    return Response(_ENCODER.encode(answer), status, content_type=JSON)
