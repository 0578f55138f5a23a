"""What can go wrong with an image: shown once by the command."""

from __future__ import annotations


class ImageError(Exception):
    """The image cannot be made, checked or pushed; the message says what to do next."""


class MissingProgramError(ImageError):
    """A program that the operating system should bring is not installed."""
