"""Children by server-side apply: what ought to exist is applied, what no longer ought to is pruned."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from lightkube import AsyncClient, codecs
from lightkube.core.exceptions import ApiError
from lightkube.core.resource import NamespacedResource
from lightkube.types import CascadeType

from operators.children import KIND_LABEL, Manifest, owned

FIELD_MANAGER: Final = "homespun-operator"


async def apply(client: AsyncClient, manifests: Sequence[Manifest]) -> None:
    """Apply each; one that is as it ought to be keeps its resourceVersion (the API server sees to it)."""
    for manifest in manifests:
        await client.apply(codecs.from_dict(manifest), field_manager=FIELD_MANAGER, force=True)


async def replace(
    client: AsyncClient,
    namespace: str,
    kind: str,
    resources: Iterable[type[NamespacedResource]],
    wanted: Sequence[Manifest],
    owners: Sequence[Manifest],
) -> None:
    """Make these the children that all objects of `kind` own together, and the only ones."""
    await apply(client, owned(wanted, kind, owners))
    await prune(client, namespace, kind, resources, wanted)


async def prune(
    client: AsyncClient,
    namespace: str,
    kind: str,
    resources: Iterable[type[NamespacedResource]],
    wanted: Sequence[Manifest],
) -> None:
    """Delete the children of `kind` that are not among `wanted`, looked for in `resources`."""
    names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in wanted}
    for resource in resources:
        found: Any  # each resource class has metadata; their common base does not say so
        async for found in client.list(resource, namespace=namespace, labels={KIND_LABEL: kind}):
            if (resource.__name__, found.metadata.name) in names:
                continue
            try:
                await client.delete(resource, found.metadata.name, namespace=namespace, cascade=CascadeType.BACKGROUND)
            except ApiError as error:
                if error.status.code != 404:
                    raise
