"""What ends a command with one clear message, and the words of its advice."""

from homespun import places

DEFAULT_STACK = "lab"


class CommandFailed(Exception):
    """The message says what was expected, what was found, and what to do."""


def make(command: str, stack: str) -> str:
    """A command to give next: `make up`, `make down STACK=mine`."""
    return f"make {command}" if stack == DEFAULT_STACK else f"make {command} STACK={stack}"


def not_up(stack: str) -> CommandFailed:
    """That an environment was never brought up from this state folder, and which ones were."""
    others = ", ".join(f"STACK={path.name}" for path in sorted(places.kubeconfigs().glob("*")))
    there = f" (up are {others})" if others else ""
    return CommandFailed(
        f"expected {stack} to be up, found nothing of it in {places.state()}{there}; run `{make('up', stack)}` first"
    )
