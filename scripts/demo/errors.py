"""What can stop the demo itself."""


class DemoError(Exception):
    """The demo cannot start; the message says why and what to do."""
