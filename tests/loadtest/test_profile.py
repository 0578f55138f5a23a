"""Profiles: ours are sound, and what is wrong with another is named by file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.profile import ProfileError, names, read_profile

PLAIN = "name: mine\nrate: 10\nsteady_s: 5\n"


@pytest.mark.parametrize("name", ["analysis", "cluster", "load", "smoke"])
def test_our_profiles_are_readable_and_named_after_their_files(name: str) -> None:
    """And none is missing from this list."""
    assert name == read_profile(name).name
    assert ["analysis", "cluster", "load", "smoke"] == names()


def test_the_load_profile_offers_enough_for_its_objective() -> None:
    """Three sigma of Poisson scatter over the steady phase still leave 1,000 requests a second."""
    profile = read_profile("load")
    assert profile.rate - 3 * (profile.rate / profile.steady_s) ** 0.5 > 1000


def test_a_profile_declares_journeys_for_an_api_that_is_not_ours(tmp_path: Path) -> None:
    """Defaults fill what is not said."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        PLAIN + "journeys:\n  - {name: home, path: /}\n  - {name: buy, method: POST, path: /b, json: {n: 1}}\n"
    )
    profile = read_profile(str(file))
    assert [("home", "GET", 1.0, ()), ("buy", "POST", 1.0, ())] == [
        (j.name, j.method, j.weight, j.expect) for j in profile.journeys if not isinstance(j, str)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: mine\nrate: 0\nsteady_s: 5\n", "mine.yaml:2: rate:"),
        (PLAIN + "arivals: poisson\n", "mine.yaml:4: arivals: unknown key"),
        (PLAIN + "arrivals: bursty\n", "mine.yaml:4: arrivals:"),
        (PLAIN + "max_steady_s: 2\n", "mine.yaml:4: max_steady_s: 2 is less than steady_s"),
        (PLAIN + "warmup_s: 2\nramp_s: 3\n", "mine.yaml:5: ramp_s: 3 is more than warmup_s"),
        (PLAIN + "journeys: []\n", "mine.yaml:4: journeys: none given"),
        (PLAIN + "logins_per_s: 11\n", "mine.yaml:4: logins_per_s: 11.0 is more than rate"),
        (PLAIN + "max_in_flight: 49\n", "mine.yaml:4: max_in_flight: 49 is less than the 50 requests in flight"),
        (
            PLAIN + "journeys:\n  - name: a\n    path: nowhere\n",
            "mine.yaml:6: journeys[0].path: 'nowhere' is not a path",
        ),
        (
            PLAIN + 'journeys:\n  - name: a\n    path: /\n    headers: {x: "a\\nb"}\n',
            "mine.yaml:7: journeys[0].headers.x:",
        ),
        (
            PLAIN + "journeys:\n  - {name: a, path: /, body: x, json: {}}\n",
            "mine.yaml:5: journeys[0].json: stands beside",
        ),
        ("name: mine\nrate: 10\n", "mine.yaml:1: steady_s: is missing"),
    ],
)
def test_a_bad_profile_is_refused_with_file_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    """One clear line for each."""
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ProfileError) as refused:
        read_profile(str(file))
    assert expected in str(refused.value)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """So that nobody has to look."""
    with pytest.raises(ProfileError, match=r"no profile 'loud': ours are analysis, cluster, load, smoke"):
        read_profile("loud")
