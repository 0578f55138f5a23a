"""docs/reference.md is what the code says."""

from app import health
from app.admin import GET_ROUTES, POST_ROUTES
from app.factory import SERVICES
from scripts import reference
from scripts.exits import MEANING, Exit


def test_the_page_is_fresh() -> None:
    """Regenerating the page changes nothing; if it does: `make docs`."""
    assert reference.page() == reference.PAGE.read_text()


def test_every_exit_code_has_a_meaning() -> None:
    """The table of meanings misses no code."""
    assert list(Exit) == list(MEANING)


def test_every_setting_has_a_line() -> None:
    """No setting goes without a description."""
    assert [] == [name for name, _, line in reference.setting_rows() if not line]


def test_readme_lists_every_endpoint() -> None:
    """README has every operation of the API and every route of the admin port on a line."""
    readme = (reference.ROOT / "README.md").read_text()
    operations = [o for service in (health.service, *SERVICES.values()) for o in service.operations]
    wanted = [f"`{o.method} {o.path}`" for o in operations]
    wanted += [f"`GET {path}`" for path in GET_ROUTES] + [f"`POST {path}`" for path in POST_ROUTES]
    assert [] == [each for each in wanted if each not in readme]
