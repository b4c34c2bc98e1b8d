"""What can go wrong with a machine that is reached over SSH."""


class HostError(Exception):
    """A machine is not as it ought to be."""


class UnreachableError(HostError):
    """SSH did not get through: the machine is off, its address or key is another, or it is not who it was."""


class OffError(UnreachableError):
    """Nothing answers at its address: the machine is off, asleep or away, and may be as it was when it is back."""


class CommandError(HostError):
    """A command ran on the machine and failed; the message holds the last lines of what it printed."""


class RefusedError(HostError):
    """What was found on the machine stands in the way; nothing was touched."""
