"""Numbers as people read them: grouped thousands, a unit on each, no more digits than the number deserves."""

from __future__ import annotations

import math
from datetime import timedelta


def count(number: float) -> str:
    """61204 as "61,204"."""
    return f"{number:,.0f}"


def per_second(number: float) -> str:
    """1019.7 as "1,020/s"."""
    return f"{number:,.0f}/s"


def ms(milliseconds: float) -> str:
    """Three digits at most below a second: "0.42 ms", "4.9 ms", "123 ms", "1,230 ms"."""
    decimals = 0 if milliseconds >= 99.95 else 1 if milliseconds >= 0.995 else 2
    return f"{milliseconds:,.{decimals}f} ms"


def significant(number: float, digits: int = 2) -> str:
    """A plain decimal with `digits` significant digits, never fewer than its whole part has."""
    if number == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float) -> str:
    """0.0031 as "0.31 %"; three digits from a tenth on, where a tenth of a percent can matter."""
    return f"{significant(share * 100, 3 if share >= 0.1 else 2)} %"


def sentence(words: str) -> str:
    """With a capital letter in front, unless the first word has a spelling of its own."""
    return words[:1].upper() + words[1:]


def clock(seconds: float) -> str:
    """Seconds since the start: "12 s", "2:05" from two minutes on, "1:02:05" from an hour on."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    text = str(timedelta(seconds=round(seconds)))
    return text.removeprefix("0:").removeprefix("0")
