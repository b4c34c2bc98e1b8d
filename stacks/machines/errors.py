"""What can go wrong with a lab's machines."""


class LabError(Exception):
    """A lab machine or its network is not as it ought to be; the message names which, and what to do."""
