"""The reconcile of a namespace's `VectorCollection`s: reads, plans, applies, probes, shows."""

from dataclasses import dataclass, field, replace
from typing import Final

from httpx2 import AsyncClient as HttpClient
from lightkube import AsyncClient
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Secret, Service

from homespun.api.fields import GROUP, VERSION
from homespun.api.vectors import KIND, PLURAL, VectorCollectionSpec, VectorCollectionStatus
from operators import apply, children, objects, reading, status
from operators.vectors import manifests, plan
from operators.vectors.probing import ask
from workloads.vectors.config import Config, parse_placements, render

VectorCollection = create_namespaced_resource(GROUP, VERSION, KIND, PLURAL)
CHILDREN: Final = (ConfigMap, Secret, Service, Deployment)
SOON: Final = 0.5
"""Seconds until the next look while something is under way."""
STEADY: Final = 10.0
"""Seconds until the next look when all is as it ought to be: events may be lost."""


@dataclass
class Reconciler:
    """What a reconcile needs, and what it remembers between two: only what came of the probes."""

    client: AsyncClient
    http: HttpClient
    gateway: str
    """The gateway's address from here."""
    url: str
    """The gateway's address for clients."""
    images: manifests.Images
    probes: dict[plan.Probe, str] = field(default_factory=dict)

    async def reconcile(self, namespace: str) -> float:
        """Make a namespace what its objects declare. Returns after how many seconds to look again."""
        items = tuple(
            [
                objects.read(document, VectorCollectionSpec, VectorCollectionStatus)
                async for document in self.client.list(VectorCollection, namespace=namespace)
            ]
        )
        if not items:
            await self._apply(namespace, [manifests.config_map(namespace, render(Config()))], ())
            return STEADY
        probe_token = await reading.probe_token(self.client, namespace, manifests.PROBE_SECRET)
        refs = [ref for item in items for ref in plan.secret_keys(item.spec)]
        secrets = await reading.declared_secrets(self.client, namespace, refs)
        observed = plan.Observed(objects=items, secrets=secrets)
        config = plan.config_of(observed, probe_token)
        await self._apply(
            namespace,
            [
                children.secret(namespace, manifests.PROBE_SECRET, {reading.PROBE_KEY: probe_token}),
                manifests.config_map(namespace, render(config)),
                manifests.service(namespace),
                manifests.deployment(namespace, self.images, plan.own_engine(config)),
            ],
            items,
        )
        placements = await reading.placements(self.http, self.gateway, probe_token, parse_placements)
        observed = replace(observed, placements=placements)
        await self._probe(plan.probes(observed, config), probe_token)
        observed = replace(observed, probes=self.probes)
        for item in items:
            shown, findings = plan.status(item, observed, config, self.url)
            await status.show(self.client, VectorCollection, namespace, item, shown, findings)
        return SOON if plan.progressing(observed, config) else STEADY

    async def _apply(self, namespace: str, wanted: list[children.Manifest], items: tuple[plan.Object, ...]) -> None:
        owners = [objects.owner(item, KIND) for item in items]
        await apply.apply(self.client, children.owned(wanted, KIND, owners))
        await apply.prune(self.client, namespace, KIND, CHILDREN, wanted)

    async def _probe(self, wanted: tuple[plan.Probe, ...], probe_token: str) -> None:
        """Ask each probe that has no good answer yet, and forget those that speak for engines of the past."""
        self.probes = {probe: wrong for probe, wrong in self.probes.items() if probe in wanted}
        for probe in wanted:
            if self.probes.get(probe) != "":
                self.probes[probe] = await ask(self.http, self.gateway, probe, probe_token)
