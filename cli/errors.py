"""What ends a command with one clear message."""


class CommandFailed(Exception):
    """The message says what was expected, what was found, and what to do."""
