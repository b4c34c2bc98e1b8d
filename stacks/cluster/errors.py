"""What can go wrong with a cluster."""


class ClusterError(Exception):
    """The cluster is not as it ought to be; the message names what, and what to do."""
