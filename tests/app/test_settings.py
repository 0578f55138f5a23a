"""Settings: read once, refused with the variable's name."""

from __future__ import annotations

import msgspec
import pytest

from app.settings import Settings, SettingsError
from tests.app.world import environment

URLS = {"DATABASE_URL": "postgresql://db/x", "REDIS_URL": "redis://cache/0"}


def test_defaults_are_a_complete_configuration() -> None:
    settings = Settings.from_env({**environment(**URLS), "UNRELATED": "1"})
    assert settings.services == ("auth", "users", "tasks")
    assert settings.threads == settings.pool_max == 8


def test_lists_flags_and_numbers_are_read_from_text() -> None:
    settings = Settings.from_env(
        environment(**URLS, CORS_ORIGINS="https://a.example, https://b.example", FAULTS_ENABLED="1", THREADS="32")
    )
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.faults_enabled is True
    assert settings.pool_max == 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("SLOT", "red"),
        ("SERVICES", "auth,payments"),
        ("THREADS", "0"),
        ("FAULT_ERROR_SHARE", "2"),
        ("JWT_KEYS", "{not json"),
        ("JWT_KEYS", '{"k1": "short"}'),
        ("JWT_KEYS", "{}"),
        ("CURSOR_KEY", "short"),
        ("ADMIN_TOKEN", ""),
        ("DATABASE_URL", ""),
        ("TRUSTED_PROXIES", "the-edge"),
        ("CORS_ORIGINS", "https://a.example/"),
        ("CORS_ORIGINS", "https://a.example\nb.example"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        Settings.from_env(environment(**{**URLS, name: value}))
    assert "short" not in str(refused.value)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        Settings.from_env({})


def test_every_field_has_a_line_of_description() -> None:
    for name, schema in msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"].items():
        assert schema.get("description"), name
