"""What can go wrong with the mesh."""


class MeshError(Exception):
    """The mesh is not as it ought to be; the message names what, and what to do."""


class NoTailnet(MeshError):
    """There is no control server any more where one was."""
