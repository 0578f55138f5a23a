# ruff: noqa: N818 - named for how a run ended: most of these are not mistakes
"""How a release can end other than done: one exception for each exit code, raised deep and shown once."""

from __future__ import annotations


class ReleaseError(Exception):
    """Something did not work; the message names what was found, where, and what to do next."""


class Refused(ReleaseError):
    """A precondition is not met; nothing was changed."""


class RouteMoved(Refused):
    """The route is not what this run last saw or wrote: somebody else moved it. Never retried blindly."""


class Unusable(ReleaseError):
    """A flag, a version or the release file cannot be used."""


class Locked(ReleaseError):
    """Another run holds the lock; the message names its holder and since when."""


class Fenced(Locked):
    """This run's lock was taken away by hand: what it still writes is refused."""


class NeedsPerson(ReleaseError):
    """Going on by itself would be a guess: a person must decide."""


class Unheard(ReleaseError):
    """No replica of a slot took an order, and none will."""


class Reverted(ReleaseError):
    """A gate refused the release, and the users are back on, or never left, the active slot."""


class Undecided(ReleaseError):
    """A gate could not decide; nothing was promoted and the weights are as the message says."""


class Awaiting(ReleaseError):
    """The run stopped at an approval point; the message says who is asked and until when."""


class Interrupted(ReleaseError):
    """SIGINT ended the run between two acts; the message says the state and the next command."""


class Terminated(Interrupted):
    """The same by SIGTERM, or by SIGHUP: the terminal was closed."""
