"""`${NAME}` in a setting: the value stands in the environment, never in a file, a journal or a message; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)\}", re.ASCII)


def lacking(key: str, text: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """Why the `text` that stands at `key` cannot be filled, one sentence for each reason; the values are not told."""
    found = [_wrong(key, name, env.get(name, "")) for name in _REFERENCE.findall(text)]
    if "${" in _REFERENCE.sub("", text):
        found.append(f"{key}: a ${{ begins no variable; write it as ${{NAME}}")
    return tuple(words for words in found if words)


def fill(text: str, env: Mapping[str, str]) -> str:
    """`text` with every variable replaced. Raises KeyError for one that `lacking` would have named."""
    return _REFERENCE.sub(lambda found: env[found[1]], text)


def _wrong(key: str, name: str, value: str) -> str:
    if not value:
        return f"{key}: the environment variable {name} is not set; export it, then run this again"
    if not (value.isascii() and value.isprintable()):  # http.client would refuse it and print it
        return f"{key}: {name} holds a line break or a letter that no header may hold; export it without"
    return ""
