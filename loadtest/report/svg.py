"""SVG as text: elements that escape what they are given, scales, ticks. Colours are classes, so that themes apply."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec
from markupsafe import Markup, escape

Child = str | Markup
Attribute = str | float | None
Place = tuple[float, float]  # x and y, or width and height, in pixels
NICE = (1, 2, 5, 10)
NICE_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)


class Label(msgspec.Struct, frozen=True):
    """What a screen reader says of a drawing; `name` is unique on the page."""

    name: str
    title: str
    desc: str


def tag(name: str, *children: Child, **attributes: Attribute) -> Markup:
    """One element; `stroke_width` stands for `stroke-width`, `class_` for `class`; attributes that are None go away."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{named}>{''.join(map(escape, children))}</{name}>")  # noqa: S704 - all parts are escaped


def drawing(label: Label, size: Place, *children: Child, **attributes: Attribute) -> Markup:
    """A whole `<svg>` of `size` (width, height), announced by its label."""
    width, height = size
    name = label.name
    return tag(
        "svg",
        tag("title", label.title, id=f"{name}-title"),
        tag("desc", label.desc, id=f"{name}-desc"),
        *children,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        viewBox=f"0 0 {_text(width)} {_text(height)}",
        width=width,
        height=height,
        **attributes,
    )


def line(start: Place, end: Place, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def rect(corner: Place, size: Place, class_: str, rx: float | None = None) -> Markup:
    """A rectangle from its upper left corner; a negative size is none."""
    return tag("rect", x=corner[0], y=corner[1], width=max(size[0], 0), height=max(size[1], 0), class_=class_, rx=rx)


def text(place: Place, words: str, anchor: str = "start", class_: str | None = None) -> Markup:
    """Words with their baseline at `place`."""
    return tag("text", words, x=place[0], y=place[1], text_anchor=None if anchor == "start" else anchor, class_=class_)


def path(places: Iterable[Place | None], class_: str) -> Markup:
    """A line through `places`, with a gap at each None."""
    words: list[str] = []
    move = "M"
    for place in places:
        if place is not None:
            words.append(f"{move}{_text(place[0])} {_text(place[1])}")
        move = "M" if place is None else "L"
    return tag("path", d="".join(words), class_=class_)


def area(xs: Sequence[float], tops: Sequence[float], bottoms: Sequence[float], class_: str) -> Markup:
    """The surface between two lines over the same `xs`."""
    places = [*zip(xs, tops, strict=True), *reversed(list(zip(xs, bottoms, strict=True)))]
    return path([*places, *places[:1]], class_)


class Scale(msgspec.Struct, frozen=True):
    """Maps the values from `low` to `high` onto pixels from `start` to `end`; values outside stop at the edge."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of `value`."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, apart: float, steps: Sequence[int] = ()) -> tuple[float, ...]:
        """Round values inside the scale, about `apart` pixels from each other; `steps` replaces 1, 2, 5 and so on."""
        room = max(1.0, abs(self.end - self.start) / apart)
        if self.log:
            return _log_ticks(self.low, self.high, room)
        step = _nice((self.high - self.low) / room, steps)
        first, last = math.ceil(self.low / step), math.floor(self.high / step + 1e-9)
        return tuple(i * step for i in range(first, last + 1))


def _nice(rough: float, steps: Sequence[int]) -> float:
    if steps:
        return next((step for step in steps if step >= rough), steps[-1])
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(nice * unit for nice in NICE if nice * unit >= rough * 0.999)


def _log_ticks(low: float, high: float, room: float) -> tuple[float, ...]:
    """1, 2, 5 of each decade where there is room for them, else the decades alone."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = 3 * math.log10(high / low) <= room
    found = (nice * 10.0**decade for decade in decades for nice in (NICE[:3] if fine else NICE[:1]))
    return tuple(value for value in found if low <= value * 1.000001 and value <= high)


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
