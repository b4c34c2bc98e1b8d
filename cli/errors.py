"""What ends a command with one clear message, and the words of its advice."""

DEFAULT_STACK = "lab"


class CommandFailed(Exception):
    """The message says what was expected, what was found, and what to do."""


def make(command: str, stack: str) -> str:
    """A command to give next: `make up`, `make down STACK=mine`."""
    return f"make {command}" if stack == DEFAULT_STACK else f"make {command} STACK={stack}"
