"""The reconcile of a namespace's `VectorCollection`s: reads, plans, applies, probes, shows."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from httpx2 import AsyncClient as HttpClient
from lightkube import AsyncClient
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import ConfigMap, Pod, Secret, Service

from homespun.api import inference
from homespun.api.fields import GROUP, VERSION
from homespun.api.inference import InferenceModelSpec
from homespun.api.vectors import KIND, PLURAL, VectorCollectionSpec, VectorCollectionStatus
from operators import apply, children, objects, probes, reading, status
from operators.queue import STEADY
from operators.vectors import ingestion, manifests, plan
from operators.vectors.probing import ask
from workloads.edge.document import ConfigError
from workloads.vectors.config import Config, parse_placements, render
from workloads.vectors.ingestion import Report, parse_report

VectorCollection = create_namespaced_resource(GROUP, VERSION, KIND, PLURAL)
InferenceModel = create_namespaced_resource(GROUP, VERSION, inference.KIND, inference.PLURAL)
CHILDREN: Final = (ConfigMap, Secret, Service, Deployment, Job)
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
    gateways: ingestion.Gateways
    """The addresses of both gateways from a pod."""
    images: manifests.Images
    probes: dict[plan.Probe, str] = field(default_factory=dict)

    async def reconcile(self, namespace: str) -> float:
        """Make a namespace what its objects declare. Returns after how many seconds to look again."""
        items = await reading.items(
            self.client, VectorCollection, namespace, VectorCollectionSpec, VectorCollectionStatus
        )
        if not items:
            nothing = [manifests.config_map(namespace, render(Config()))]
            await apply.replace(self.client, namespace, KIND, CHILDREN, nothing, ())
            return STEADY
        probe_token = await reading.probe_token(self.client, namespace, manifests.PROBE_SECRET)
        refs = [ref for one in items for ref in plan.secret_keys(one.spec)]
        secrets = await reading.declared_secrets(self.client, namespace, refs)
        observed = plan.Observed(objects=items, secrets=secrets)
        config = plan.config_of(observed, probe_token)
        shared = [
            children.secret(namespace, manifests.PROBE_SECRET, {reading.PROBE_KEY: probe_token}),
            manifests.config_map(namespace, render(config)),
            manifests.service(namespace),
            manifests.deployment(namespace, self.images, plan.own_engine(config)),
        ]
        await apply.apply(self.client, children.owned(shared, KIND, [objects.owner(item, KIND) for item in items]))
        placements = await reading.placements(self.http, self.gateway, probe_token, parse_placements)
        observed = replace(observed, placements=placements)
        self.probes = await probes.answers(
            self.probes, plan.probes(observed, config), lambda probe: ask(self.http, self.gateway, probe, probe_token)
        )
        observed = replace(observed, probes=self.probes)

        filled = [item for item in items if item.spec.ingestion]
        refs = [ref for one in filled for ref in ingestion.secret_keys(one.spec)]
        source = ingestion.Observed(
            models=await self._models(namespace) if filled else {},
            claims=frozenset(await reading.claims(self.client, namespace)) if filled else frozenset[str](),
            keys=await reading.declared_keys(self.client, namespace, refs),
        )
        again = await objects.one_by_one(items, lambda item: self._reconcile(namespace, item, observed, config, source))
        own = [child for item in filled for child in ingestion.names(item)]
        await apply.prune(self.client, namespace, KIND, CHILDREN, [*shared, *own])
        return min(again, SOON) if plan.progressing(observed, config) else again

    async def _reconcile(
        self, namespace: str, item: plan.Object, observed: plan.Observed, config: Config, source: ingestion.Observed
    ) -> float:
        """One collection and its source; after how many seconds to look at it again."""
        if item.spec.ingestion:
            may_begin = plan.answers(item, observed, config) and not plan.missing(item, observed)
            source = replace(source, answers=may_begin, run=await self._run(namespace, item))
            await self._fill(namespace, item, source)
        shown, findings = plan.status(item, observed, config, self.url)
        filling, found = ingestion.status(item, source)
        shown = shown.model_copy(update={"ingestion": filling})
        await status.show(self.client, VectorCollection, namespace, item, shown, [*findings, *found])
        return SOON if ingestion.progressing(item, source) else STEADY

    async def _fill(self, namespace: str, item: plan.Object, source: ingestion.Observed) -> None:
        """Start what is to be started.

        A Job that is there is left alone, whatever became of what it needs: it can't be changed, and waits by itself.
        """
        told = ingestion.document(item, source, self.gateways)
        if told is not None and source.run is None:
            document = ingestion.config_map(namespace, item, told)
            job = ingestion.job(namespace, item, source, self.images.ingest)
            owners = [objects.owner(item, KIND)]
            await apply.apply(self.client, [children.child(one, KIND, owners) for one in (document, job)])

    async def _run(self, namespace: str, item: plan.Object) -> ingestion.Run | None:
        """The Job; one of an earlier object of this name is on its way out, and none."""
        name = ingestion.job_name(item)
        job = await reading.found(self.client, Job, namespace, name)
        if job is None or not objects.owns(item, job.metadata):
            return None
        conditions = {one.type: one for one in (job.status and job.status.conditions) or () if one.status == "True"}
        failed = conditions.get("Failed")
        labels: Any = {"batch.kubernetes.io/job-name": name}
        pods = [pod async for pod in self.client.list(Pod, namespace=namespace, labels=labels)]
        return ingestion.Run(
            succeeded="Complete" in conditions,
            failed=(failed.message or failed.reason or "it failed") if failed else "",
            report=_report(pods),
            waiting=next((why for pod in pods if (why := reading.waiting(pod, "its pod"))), ""),
        )

    async def _models(self, namespace: str) -> dict[str, InferenceModelSpec]:
        found = self.client.list(InferenceModel, namespace=namespace)
        return {
            str(document.metadata.name): InferenceModelSpec.model_validate(document["spec"])
            async for document in found
            if document.metadata
        }


def _report(pods: list[Pod]) -> Report | None:
    """What the newest pod that has ended left as its last words."""
    ended: list[tuple[str, str]] = []
    for pod in pods:
        for container in (pod.status and pod.status.containerStatuses) or ():
            over = container.state.terminated if container.state else None
            if over and over.message:
                ended.append((str(over.finishedAt), over.message))
    for _, message in sorted(ended, reverse=True):
        try:
            return parse_report(message)
        except ConfigError:
            continue  # one that was killed leaves the end of its log
    return None
