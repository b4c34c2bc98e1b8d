"""What every child carries: whose it is, and of which kind of object."""

from collections.abc import Iterable
from typing import Any, Final

KIND_LABEL: Final = "homespun.dev/kind"
"""On each child: for which kind of object it was made."""
MANAGED_BY: Final = {"app.kubernetes.io/managed-by": "homespun"}

Manifest = dict[str, Any]


def child(manifest: Manifest, kind: str, owners: Iterable[Manifest]) -> Manifest:
    """The manifest, labelled as a child of `kind` and owned by `owners`: gone when the last of them is."""
    metadata = dict(manifest["metadata"])
    metadata["labels"] = {**metadata.get("labels", {}), **MANAGED_BY, KIND_LABEL: kind}
    metadata["ownerReferences"] = list(owners)  # server-side apply takes away an owner that is no longer named
    return {**manifest, "metadata": metadata}
