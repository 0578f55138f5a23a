"""Where users' requests go: the routing object as plain data."""

from __future__ import annotations

import msgspec

from scripts.release.errors import Unusable

SLOTS = ("blue", "green")


def other(slot: str) -> str:
    """The slot beside `slot`."""
    return SLOTS[1 - SLOTS.index(slot)]


class Weights(msgspec.Struct, frozen=True):
    """Shares of the users' requests in percent. Raises Unusable unless both are 0 to 100 and their sum is 100."""

    blue: int
    green: int

    def __post_init__(self) -> None:
        if not (0 <= self.blue <= 100 and self.blue + self.green == 100):
            raise Unusable(f"weights blue {self.blue}, green {self.green}: each is 0 to 100 and their sum must be 100")

    @classmethod
    def with_share(cls, slot: str, percent: int) -> Weights:
        """`percent` to `slot`, the rest to the other."""
        return cls(percent, 100 - percent) if slot == "blue" else cls(100 - percent, percent)

    def of(self, slot: str) -> int:
        """The percent that `slot` gets."""
        return self.blue if slot == "blue" else self.green

    @property
    def sole(self) -> str | None:
        """The slot that has all users, if one has."""
        return next((slot for slot in SLOTS if self.of(slot) == 100), None)

    def __str__(self) -> str:
        return f"blue {self.blue} %, green {self.green} %"


class Audience(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Users known by what they send: any one of these headers or cookies, with exactly this value."""

    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self.headers or self.cookies)


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a write of the route asks for. Raises Unusable where it contradicts itself."""

    weights: Weights
    first: str = ""  # the slot that the audience gets, whatever its weight; "" when nobody is singled out
    audience: Audience = Audience()
    mirror: str = ""  # the slot that is sent a copy of every read; its answers reach nobody
    sticky: str = ""  # the cookie by which a user keeps a slot as long as it has a share; "": drawn for each request

    def __post_init__(self) -> None:
        for name in (self.first, self.mirror):
            if name not in ("", *SLOTS):
                raise Unusable(f"slot {name!r}: there are {' and '.join(SLOTS)}")
        if bool(self.first) != bool(self.audience):
            raise Unusable("an audience needs a slot and a slot needs an audience: give both or none")
        if self.mirror and self.weights.of(self.mirror):
            raise Unusable(f"{self.mirror} has users: it cannot be sent copies of their reads too")

    @classmethod
    def all_on(cls, slot: str) -> Target:
        """Every user on one slot, and nothing beside that."""
        return cls(Weights.with_share(slot, 100))

    @property
    def sole(self) -> str | None:
        """The slot that has every user, if one has."""
        return self.weights.sole if self.first in ("", self.weights.sole) else None

    def has_users(self, slot: str) -> bool:
        """Whether any user is sent there."""
        return self.weights.of(slot) > 0 or self.first == slot

    def __str__(self) -> str:
        words = str(self.weights)
        if self.first:
            words += f", the audience on {self.first}"
        return f"{words}, reads copied to {self.mirror}" if self.mirror else words


class Route(msgspec.Struct, frozen=True):
    """The routing object: the one truth about who is live."""

    target: Target
    token: str  # changes with every write, whoever writes: the precondition of the next write
    run: str = ""  # the run that wrote it; "" when no run did
    fence: int = 0
    lost: str = ""  # why what was written cannot be read, and what mends it; `target` is then what is served

    @property
    def weights(self) -> Weights:
        """The users' shares."""
        return self.target.weights
