"""Where everything stands, as arithmetic: boxes in four columns of lanes, services beside them, ways between boxes.

Lanes follow a request from its user to the data. A way leaves a box downwards, sideways or, out of the VPC, upwards;
between two lanes it runs in the gap that no box uses.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from infra.picture.kinds import FLOWS, GROUPS
from infra.picture.parts import Flow, Lane, Part

BOX: Final = (228, 78)
GAP_X: Final = 34
GAP_Y: Final = 62  # between lanes; ways and the names of lanes run here
INSET: Final = 22  # of a frame around what is in it
LEFT: Final = 66
TOP: Final = 82
SERVICE_H: Final = 54
SERVICES_W: Final = 236
GROUP_H: Final = 30
LANES: Final[tuple[Lane, ...]] = ("people", "edge", "region", "public", "private", "isolated")
IN_VPC: Final = ("public", "private", "isolated")
HEAD: Final = 42  # the name of a frame that begins
ICON: Final = 34  # the coloured square
PORT: Final = 26  # from the corner of a box to where a way to another column leaves it


class Rect(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def bottom(self) -> float:
        return self.y + self.h

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.w / 2, self.y + self.h / 2

    def around(self, inset: float, head: float = 0) -> Rect:
        """A frame around it, with room for its name on top."""
        return Rect(self.x - inset, self.y - inset - head, self.w + 2 * inset, self.h + 2 * inset + head)

    def apart(self, other: Rect) -> bool:
        """Whether the two share nothing."""
        return self.right <= other.x or other.right <= self.x or self.bottom <= other.y or other.bottom <= self.y


class Way(NamedTuple):
    """A line from part to part, and its word with the place of its middle."""

    flow: Flow
    points: tuple[tuple[float, float], ...]
    word_at: tuple[float, float]


class Layout(NamedTuple):
    """The whole picture; frames by name."""

    size: tuple[float, float]
    boxes: dict[str, Rect]
    frames: dict[str, Rect]
    groups: dict[str, Rect]  # names of the groups of services
    ways: tuple[Way, ...]


def place(parts: list[Part]) -> Layout:
    """Everything's place."""
    boxes, bands = _boxes(parts)
    frames: dict[str, Rect] = {lane: band.around(10, 20) for lane, band in bands.items() if lane in (*IN_VPC, "edge")}
    vpc = _hull([frame for lane, frame in frames.items() if lane in IN_VPC]).around(INSET - 8, 24)
    frames["vpc"] = vpc
    inside = [bands["region"]] if "region" in bands else []
    services, groups = _services(parts, vpc.right + 44, min(each.y for each in (*inside, vpc)) + 38, vpc.bottom)
    boxes |= services
    every = [*services.values(), *groups.values()]
    if every:
        frames["services"] = _hull(every).around(14, 24)
        frames["services"] = frames["services"]._replace(h=max(frames["services"].h, vpc.bottom - frames["services"].y))
    frames["region"] = _hull([vpc, *inside, *([frames["services"]] if every else [])]).around(INSET, 24)
    last = frames["region"]
    if beyond := _row(parts, last.bottom + HEAD + 26):
        boxes |= beyond
        frames["away"] = last = Rect(last.x, last.bottom + 22, last.w, BOX[1] + HEAD + 24)
    size = (last.right + 24, last.bottom + 52)
    return Layout(size, boxes, frames, groups, tuple(_ways(boxes, frames)))


def _boxes(parts: list[Part]) -> tuple[dict[str, Rect], dict[Lane, Rect]]:
    boxes: dict[str, Rect] = {}
    bands: dict[Lane, Rect] = {}
    width, height = BOX
    y = float(TOP)
    for lane in LANES:
        here = [part.kind for part in parts if part.kind.lane == lane]
        if not here:
            continue
        if lane == "region" or (lane == "public" and "region" not in bands):
            y += HEAD
        if lane == "public":
            y += HEAD
        for kind in here:
            w = width * kind.span + GAP_X * (kind.span - 1)
            boxes[kind.key] = Rect(LEFT + kind.column * (width + GAP_X), y, w, height)
        bands[lane] = Rect(LEFT, y, 4 * width + 3 * GAP_X, height)
        y += height + GAP_Y
    return boxes, bands


def _row(parts: list[Part], y: float) -> dict[str, Rect]:
    """The second region's parts, side by side."""
    here = [part.kind for part in parts if part.kind.lane == "away"]
    return {kind.key: Rect(LEFT + kind.column * (BOX[0] + GAP_X), y, *BOX) for kind in here}


def _services(parts: list[Part], x: float, top: float, bottom: float) -> tuple[dict[str, Rect], dict[str, Rect]]:
    """Groups one under the other, in as many columns as they need between top and bottom."""
    boxes: dict[str, Rect] = {}
    groups: dict[str, Rect] = {}
    y = top
    for number, name in enumerate(GROUPS):
        here = [part.kind for part in parts if part.kind.lane == "services" and part.kind.column == number]
        if y > top and y + GROUP_H + len(here) * (SERVICE_H + 8) > bottom:
            x, y = x + SERVICES_W + 16, top
        if here:
            groups[name] = Rect(x, y, SERVICES_W, GROUP_H - 8)
            y += GROUP_H
        for kind in here:
            boxes[kind.key] = Rect(x, y, SERVICES_W, SERVICE_H)
            y += SERVICE_H + 8
        y += 8 if here else 0
    return boxes, groups


def _hull(rects: list[Rect]) -> Rect:
    x, y = min(each.x for each in rects), min(each.y for each in rects)
    return Rect(x, y, max(each.right for each in rects) - x, max(each.bottom for each in rects) - y)


def _ways(boxes: dict[str, Rect], frames: dict[str, Rect]) -> list[Way]:
    places = {**boxes, **({"services": frames["services"]} if "services" in frames else {})}
    wanted = [
        flow
        for flow in FLOWS
        if flow.start in places and flow.end in places and not (flow.only_without and flow.only_without in places)
    ]
    return [way(flow, places[flow.start], places[flow.end]) for flow in wanted]


def way(flow: Flow, start: Rect, end: Rect) -> Way:
    """Down or up where one is over the other, sideways where they stand side by side, else by the gap between lanes."""
    (sx, sy), (ex, _) = start.middle, end.middle
    if start.bottom > end.y and end.bottom > start.y:  # side by side
        x0, x1 = (start.right, end.x) if sx < ex else (start.x, end.right)
        return Way(flow, ((x0, sy), (x1, sy)), ((x0 + x1) / 2, sy - 6))
    down = start.bottom <= end.y
    y0, y1 = (start.bottom, end.y) if down else (start.y, end.bottom)
    left, right = max(start.x, end.x), min(start.right, end.right)
    if left + PORT < right:
        x = min(max((left + right) / 2, start.x + PORT), start.right - PORT)
        return Way(flow, ((x, y0), (x, y1)), (x + 8, (y0 + y1) / 2))
    # The near corner of both: the names of lanes stand at the left.
    x, ex = (start.right - PORT, end.x + PORT) if sx < ex else (start.x + PORT, end.right - PORT)
    turn = y0 + 13 if down else y0 - 13
    return Way(flow, ((x, y0), (x, turn), (ex, turn), (ex, y1)), (ex + 8, (turn + y1) / 2 + 4))
