"""What can go wrong with the local system: one tree, shown once by the command."""

from __future__ import annotations


class LocalError(Exception):
    """The local system cannot do what was asked; the message says what to do next."""


class StartError(LocalError):
    """A process ended, or never answered, while it was being started."""


class PortTakenError(LocalError):
    """A port the user fixed is held by a process that is not ours."""


class LockedError(LocalError):
    """Another command is changing the same home."""


class SettingsError(LocalError):
    """The environment names other servers than those the running system was started with."""


class NotUpError(LocalError):
    """There is no local system under this home."""


class SlotUnknownError(LocalError):
    """The file that says what runs in a slot cannot be read."""


class ProbeError(LocalError):
    """A slot or Envoy gave no answer to a question over HTTP."""


class UnheardError(ProbeError):
    """No replica of a slot took an order."""
