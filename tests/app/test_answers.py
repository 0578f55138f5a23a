"""What every answer carries: headers, request ids, problems, CORS, metrics and a log line."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest
from flask import Response

from app.call import runtime
from app.logs import JsonFormatter
from app.problems import CATALOGUE
from app.security import HEADERS
from tests.app.world import ANONYMOUS, Api

JSON = {"Content-Type": "application/json"}
ORIGIN = "https://app.example.org"


@pytest.fixture
def broken(serve: Callable[..., Api]) -> Api:
    """An application with a route that fails in a way nobody foresaw."""
    api = serve(CORS_ORIGINS=ORIGIN)

    def fail() -> str:
        raise RuntimeError("the secret reason")

    api.app.add_url_rule("/broken", "broken", fail)
    return api


REQUESTS: dict[int, tuple[str, str, dict[str, object]]] = {
    200: ("GET", "/health", {}),
    204: ("OPTIONS", "/tasks", {"headers": {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}}),
    400: ("POST", "/auth/login", {"data": "{", "headers": JSON}),
    401: ("GET", "/tasks", {}),
    404: ("GET", "/nowhere", {}),
    405: ("PUT", "/tasks", {}),
    413: ("POST", "/auth/login", {"data": b" " * 65537, "headers": JSON}),
    415: ("POST", "/auth/login", {"data": "x"}),
    422: ("POST", "/auth/login", {"data": "{}", "headers": JSON}),
    500: ("GET", "/broken", {}),
}


@pytest.mark.parametrize("status", REQUESTS)
def test_every_status_has_the_security_headers_and_a_request_id(broken: Api, status: int) -> None:
    method, path, options = REQUESTS[status]
    answer = broken.call(method, path, ANONYMOUS, **options)
    assert answer.status_code == status, answer.text
    for name, value in HEADERS:
        assert answer.headers.getlist(name) == [value]
    assert len(answer.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize("status", [status for status in REQUESTS if status >= 400])
def test_every_error_is_a_problem_of_the_catalogue(broken: Api, status: int) -> None:
    method, path, options = REQUESTS[status]
    answer = broken.call(method, path, ANONYMOUS, **options)
    body = answer.get_json(force=True)
    assert answer.headers["Content-Type"] == "application/problem+json"
    slug = body["type"].removeprefix("urn:primetrade:problem:")
    assert (CATALOGUE[slug][0], body["title"]) == (status, CATALOGUE[slug][1])
    assert (body["status"], body["request_id"]) == (status, answer.headers["X-Request-Id"])


def test_an_unforeseen_error_is_told_to_the_log_and_not_to_the_client(
    broken: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "app"):
        answer = broken.get("/broken")
    assert "secret reason" not in answer.text
    assert "Traceback" not in answer.text
    logged = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    assert "RuntimeError: the secret reason" in logged[0]["traceback"]
    assert logged[0]["request_id"] == logged[1]["request_id"] == answer.headers["X-Request-Id"]


def test_an_error_in_a_hook_after_the_handler_is_an_unforeseen_one_too(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """Flask hands it over wrapped in an exception of its own."""

    def fail(response: Response) -> Response:
        if response.status_code == 200:
            raise RuntimeError("the secret reason")
        return response

    api.app.after_request(fail)
    with caplog.at_level(logging.INFO, "app"):
        answer = api.get("/health")
    assert (answer.status_code, answer.get_json()["type"]) == (500, "urn:primetrade:problem:internal-error")
    assert "secret reason" not in answer.text
    logged = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    (unhandled,) = [line for line in logged if line.get("event") == "unhandled"]
    assert unhandled["request_id"] == answer.headers["X-Request-Id"]
    assert unhandled["traceback"].endswith("RuntimeError: the secret reason")


def test_a_method_a_path_does_not_know_is_told_which_it_does(api: Api) -> None:
    assert {"GET", "POST"} <= set(api.call("PUT", "/tasks").headers["Allow"].split(", "))
    assert api.call("TRACE", "/tasks").status_code == 405


@pytest.mark.parametrize("path", ["/tasks/", "//tasks", "/tasks//1", "/TASKS"])
def test_a_path_is_taken_as_it_is_written(api: Api, path: str) -> None:
    assert api.get(path, api.person()).status_code == 404


def test_the_edges_request_id_is_kept_when_it_is_well_formed(api: Api) -> None:
    def sent(request_id: str, peer: str = "127.0.0.1") -> str:
        options = {"headers": {"X-Request-Id": request_id}, "environ_base": {"REMOTE_ADDR": peer}}
        return str(api.get("/health", **options).headers["X-Request-Id"])

    good = "0d6cbd84-6d36-4b1c-a1f0-4c9ab24e6ec1"
    assert sent(good) == good
    for bad in ("short", "x" * 65, "with space and more", '{"json": true}', "../../etc/passwd"):
        assert sent(bad) != bad
    assert sent(good, peer="192.0.2.1") != good


def test_cors_lets_in_the_listed_origin_and_no_other(serve: Callable[..., Api]) -> None:
    api = serve(CORS_ORIGINS=f"{ORIGIN},https://b.example.org")
    answer = api.get("/health", headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for origin in ("https://evil.example.org", f"{ORIGIN}.evil.org", "null", ORIGIN.upper(), f"{ORIGIN}:8443"):
        answer = api.get("/health", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


def test_a_preflight_is_answered_without_a_token_for_listed_origins_only(serve: Callable[..., Api]) -> None:
    api = serve(CORS_ORIGINS=ORIGIN)
    asked = {"Access-Control-Request-Method": "PATCH"}
    good = api.call("OPTIONS", "/tasks/1", headers={**asked, "Origin": ORIGIN})
    assert (good.status_code, good.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
    assert "PATCH" in good.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in good.headers["Access-Control-Allow-Headers"]
    bad = api.call("OPTIONS", "/tasks/1", headers={**asked, "Origin": "https://evil.example.org"})
    assert not [name for name in dict(bad.headers) if name.startswith("Access-Control")]


def test_one_line_a_request_says_who_asked_what_and_how_long_it_took(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    person = api.person()
    with caplog.at_level(logging.INFO, "app"):
        answer = api.get("/tasks?limit=1", person)
    (record,) = caplog.records
    line = json.loads(JsonFormatter().format(record))
    assert line["request_id"] == answer.headers["X-Request-Id"]
    expected = {"level": "INFO", "event": "request", "method": "GET", "route": "/tasks", "status": 200, "slot": "blue"}
    assert expected.items() <= line.items()
    assert (line["user_id"], line["version"], line["client"]) == (person.id, "dev", "127.0.0.1")
    assert line["ms"] >= line["database_ms"] > 0
    assert "Bearer" not in record.getMessage()


def series(api: Api, name: str) -> Iterator[str]:
    return (line for line in api.runtime.metrics.text().decode().splitlines() if line.startswith(name))


def test_durations_are_counted_by_the_route_and_never_by_the_path(serve: Callable[..., Api]) -> None:
    api = serve(SLOT="green", APP_VERSION="1.2.3")
    person = api.person()
    for task_id in (10**9, 10**9 + 1):
        api.get(f"/tasks/{task_id}", person)
    api.get("/wp-login.php")
    api.call("BREW", "/health")
    counts = list(series(api, "http_request_duration_seconds_count"))
    labels = 'slot="green",status_code="404",version="1.2.3"} '
    assert f'http_request_duration_seconds_count{{method="GET",route="/tasks/{{task_id}}",{labels}2.0' in counts
    assert f'http_request_duration_seconds_count{{method="GET",route="unmatched",{labels}1.0' in counts
    assert any('method="OTHER"' in line for line in counts)


def test_the_objectives_thresholds_are_exact_bounds_of_the_histogram(api: Api) -> None:
    api.get("/health")
    bounds = {
        line.partition('le="')[2].partition('"')[0] for line in series(api, "http_request_duration_seconds_bucket")
    }
    assert {"0.1", "0.2", "0.5"} <= bounds


def test_each_metric_of_the_pool_cache_and_breakers_is_there(api: Api) -> None:
    api.get("/tasks/stats", api.person())
    text = api.runtime.metrics.text().decode()
    for name in (
        "db_pool_size",
        "db_pool_available",
        "db_pool_waiting",
        "db_pool_wait_seconds_sum",
        "db_pool_wait_seconds_count",
        'cache_requests_total{level="l1",result="miss"}',
        'cache_requests_total{level="l2",result="miss"}',
        'breaker_state{dependency="database"} 0.0',
        'breaker_state{dependency="valkey"} 0.0',
        "process_cpu_seconds_total",
    ):
        assert f"\n{name}" in text, name


def test_outside_a_request_there_is_no_runtime() -> None:
    import contextvars  # noqa: PLC0415  # a context of its own

    with pytest.raises(LookupError):
        contextvars.Context().run(runtime)


def test_what_is_the_same_for_all_may_be_kept_by_all(broken: Api) -> None:
    """The description says for how long, once, and answers whoever has it with 304; nothing else may be kept."""
    first = broken.call("GET", "/openapi.json", ANONYMOUS)
    assert ["public, max-age=300"] == first.headers.getlist("Cache-Control")
    again = broken.call("GET", "/openapi.json", ANONYMOUS, headers={"If-None-Match": first.headers["ETag"]})
    assert (304, b"", ["public, max-age=300"]) == (
        again.status_code,
        again.data,
        again.headers.getlist("Cache-Control"),
    )
