"""The reconcile of a namespace's `InferenceModel`s: reads, plans, applies, probes, shows."""

from dataclasses import dataclass, field, replace
from typing import Final

from httpx2 import AsyncClient as HttpClient
from lightkube import AsyncClient
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Secret, Service

from homespun.api.fields import GROUP, VERSION
from homespun.api.inference import KIND, PLURAL, InferenceModelSpec, InferenceModelStatus
from operators import apply, children, objects, probes, reading, status
from operators.inference import manifests, plan
from operators.inference.probing import ask
from operators.queue import STEADY
from operators.reading import PROBE_KEY
from workloads.inference.config import CONFIG_KEY, CONFIG_MAP, Config, parse, parse_placements, render

InferenceModel = create_namespaced_resource(GROUP, VERSION, KIND, PLURAL)
CHILDREN: Final = (ConfigMap, Secret, Service, Deployment)
SOON: Final = 0.5
"""Seconds until the next look while something is under way."""


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
        items = await reading.items(self.client, InferenceModel, namespace, InferenceModelSpec, InferenceModelStatus)
        if not items:
            await self._apply(namespace, [manifests.config_map(namespace, render(Config()))], ())
            return STEADY
        probe_token = await reading.probe_token(self.client, namespace, manifests.PROBE_SECRET)
        refs = [ref for item in items for ref in plan.secret_keys(item.spec)]
        observed = plan.Observed(
            objects=items,
            config=await reading.configuration(self.client, namespace, CONFIG_MAP, CONFIG_KEY, parse, Config()),
            secrets=await reading.declared_secrets(self.client, namespace, refs),
            probes=self.probes,
        )
        config = plan.next_config(observed, probe_token)
        await self._apply_children(namespace, observed, config, probe_token)

        placements = await reading.placements(self.http, self.gateway, probe_token, parse_placements)
        observed = replace(observed, config=config, placements=placements)
        self.probes = await probes.answers(
            self.probes, plan.probes(observed, config), lambda probe: ask(self.http, self.gateway, probe, probe_token)
        )
        observed = replace(observed, probes=self.probes)
        if plan.next_config(observed, probe_token) != config:
            return 0.0  # a revision passed its probe: switch to it before anything is said
        again = await objects.one_by_one(items, lambda item: self._show(namespace, item, observed, config))
        return min(again, SOON) if plan.progressing(observed, config) else again

    async def _show(self, namespace: str, item: plan.Object, observed: plan.Observed, config: Config) -> float:
        """The status of one model."""
        shown, findings = plan.status(item, observed, config, self.url)
        await status.show(self.client, InferenceModel, namespace, item, shown, findings)
        return STEADY

    async def _apply_children(self, namespace: str, observed: plan.Observed, config: Config, probe_token: str) -> None:
        there = await reading.claims(self.client, namespace)
        wanted = [
            children.secret(namespace, manifests.PROBE_SECRET, {PROBE_KEY: probe_token}),
            manifests.sources_secret(namespace, plan.source_tokens(observed)),
            manifests.config_map(namespace, render(config)),
            manifests.service(namespace),
            manifests.deployment(namespace, self.images, plan.claims(config, there)),
        ]
        await self._apply(namespace, wanted, observed.objects)

    async def _apply(self, namespace: str, wanted: list[children.Manifest], items: tuple[plan.Object, ...]) -> None:
        owners = [objects.owner(item, KIND) for item in items]
        await apply.replace(self.client, namespace, KIND, CHILDREN, wanted, owners)
