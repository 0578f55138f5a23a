"""Registration, login and the tokens that are believed."""

from __future__ import annotations

import time
from collections.abc import Callable

import jwt
import pytest

from app.auth.tokens import AUDIENCE, ISSUER, issue
from tests.app.world import KEYS, Api, Person

PASSWORD = "correct horse battery"
NEW_KEY, OLD_KEY = KEYS.values()


def register(api: Api, name: str) -> dict[str, str]:
    body = {"email": f"{name}@example.org", "username": name, "password": PASSWORD}
    assert api.post("/auth/register", body).status_code == 201
    return body


def test_a_registered_user_logs_in_and_is_known_by_the_token(api: Api) -> None:
    register(api, "alice")
    answer = api.post("/auth/login", {"email": "ALICE@example.org", "password": PASSWORD}).get_json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 900
    me = api.get("/users/me", Person(0, "", {"Authorization": f"Bearer {answer['access_token']}"})).get_json()
    assert (me["email"], me["username"], me["role"]) == ("alice@example.org", "alice", "user")
    assert set(me) == {"id", "email", "username", "role", "created_at"}


def test_an_email_and_a_name_are_taken_once_however_they_are_written(api: Api) -> None:
    body = register(api, "bob")
    again = api.post("/auth/register", {**body, "email": "Bob@Example.org", "username": "robert"})
    assert (again.status_code, again.get_json()["type"]) == (409, "urn:primetrade:problem:email-taken")
    again = api.post("/auth/register", {**body, "email": "other@example.org", "username": "BOB"})
    assert (again.status_code, again.get_json()["type"]) == (409, "urn:primetrade:problem:username-taken")


@pytest.mark.parametrize(
    "change",
    [
        {"email": "no-at.example.org"},
        {"email": "a@b"},
        {"email": "x" * 250 + "@example.org"},
        {"email": "c@example.org\n"},
        {"username": "ab"},
        {"username": "carol\n"},
        {"username": "with space"},
        {"password": "short"},
        {"password": "x" * 129},
    ],
)
def test_a_registration_out_of_range_is_refused(api: Api, change: dict[str, str]) -> None:
    body = {"email": "c@example.org", "username": "carol", "password": PASSWORD, **change}
    assert api.post("/auth/register", body).status_code == 422


def test_a_wrong_password_and_an_unknown_account_get_the_same_words(api: Api) -> None:
    register(api, "dave")
    bodies = []
    for email in ("dave@example.org", "nobody@example.org"):
        answer = api.post("/auth/login", {"email": email, "password": "wrong password"})
        assert answer.status_code == 401
        body = answer.get_json()
        del body["request_id"]
        bodies.append(body)
    assert bodies[0] == bodies[1]


def test_an_unknown_account_costs_a_hash_too(api: Api) -> None:
    passwords = api.runtime.passwords
    with passwords._permit(), passwords._permit():
        answer = api.post("/auth/login", {"email": "nobody@example.org", "password": PASSWORD})
    assert answer.status_code == 429


def test_hashing_is_bounded_and_says_when_to_come_again(api: Api) -> None:
    passwords = api.runtime.passwords
    with passwords._permit(), passwords._permit():
        answer = api.post("/auth/register", {"email": "e@example.org", "username": "erin", "password": PASSWORD})
    assert answer.status_code == 429
    assert answer.get_json()["type"] == "urn:primetrade:problem:login-busy"
    assert answer.headers["Retry-After"] == "1"


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    good: dict[str, object] = {
        "sub": "1",
        "role": "user",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 60,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(key: str = NEW_KEY, algorithm: str = "HS256", kid: object = "k2", **changes: object) -> str:
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "alg none": lambda: signed(key="", algorithm="none"),
    "another HMAC": lambda: signed(algorithm="HS384", key=NEW_KEY * 2),
    "wrong key": lambda: signed(key="another-key-of-32-bytes-or-more-x"),
    "key of another kid": lambda: signed(key=OLD_KEY),
    "unknown kid": lambda: signed(kid="k9"),
    "kid is a path": lambda: signed(kid="../../dev/null"),
    "no kid": lambda: signed(kid=None),
    "expired": lambda: signed(exp=int(time.time()) - 60),
    "not valid yet": lambda: signed(nbf=int(time.time()) + 60),
    "no expiry": lambda: signed(exp=None),
    "no subject": lambda: signed(sub=None),
    "subject is no id": lambda: signed(sub="alice"),
    "wrong audience": lambda: signed(aud="another-api"),
    "wrong issuer": lambda: signed(iss="another-issuer"),
    "unknown role": lambda: signed(role="root"),
    "no role": lambda: signed(role=None),
    "critical extension": lambda: jwt.encode(
        claims(), NEW_KEY, algorithm="HS256", headers={"kid": "k2", "crit": ["x"], "x": 1}
    ),
    "cut off": lambda: signed()[:-4],
    "no token": lambda: "not.a.token",
    "empty": lambda: "",
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_a_token_we_would_not_issue_is_refused_with_a_challenge(api: Api, name: str) -> None:
    answer = api.get("/tasks", Person(0, "", {"Authorization": f"Bearer {BAD_TOKENS[name]()}"}))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="primetrade"')


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Token x", signed()])
def test_another_scheme_is_refused(api: Api, header: str) -> None:
    assert api.get("/tasks", Person(0, "", {"Authorization": header})).status_code == 401


def test_the_key_before_the_signing_key_still_verifies(api: Api) -> None:
    person = api.person()
    old = issue(person.id, "user", {"k1": OLD_KEY}, 60)
    assert api.get("/users/me", Person(0, "", {"Authorization": f"Bearer {old}"})).status_code == 200


def test_a_verified_token_is_believed_no_longer_than_it_lives(api: Api) -> None:
    person = api.person()
    token = signed(sub=str(person.id), exp=int(time.time()) - 4)  # inside the leeway for clocks
    headers = Person(0, "", {"Authorization": f"Bearer {token}"})
    assert api.get("/users/me", headers).status_code == 200
    time.sleep(2)
    assert api.get("/users/me", headers).status_code == 401


def test_the_token_of_a_deleted_account_opens_nothing(api: Api) -> None:
    ghost = Person(0, "", {"Authorization": f"Bearer {issue(99999999, 'user', KEYS, 60)}"})
    assert api.get("/users/me", ghost).status_code == 401
    assert api.post("/tasks", {"title": "x"}, ghost).status_code == 401


def test_users_are_listed_for_administrators_page_by_page(api: Api) -> None:
    admin = api.person("admin")
    expected = {api.person().id for _ in range(5)} | {admin.id}
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = api.get(f"/users?limit=2{cursor and '&cursor=' + cursor}", admin).get_json()
        seen += [user["id"] for user in page["items"]]
        assert all("password_hash" not in user for user in page["items"])
        cursor = page["next_cursor"]
    assert expected <= set(seen)
    assert len(set(seen)) == len(seen)
