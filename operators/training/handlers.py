"""The reconcile of a namespace's `TrainingJob`s: reads, plans, applies, shows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.core_v1 import Pod
from lightkube.types import PatchType

from homespun.api.fields import GROUP, VERSION
from homespun.api.training import KIND, PLURAL, TrainingJobSpec, TrainingJobStatus
from operators import apply, children, objects, reading, status
from operators.queue import STEADY
from operators.training import manifests, plan
from workloads.edge.document import ConfigError
from workloads.training.config import Progress, parse_progress, render

TrainingJob = create_namespaced_resource(GROUP, VERSION, KIND, PLURAL)
JobSet = create_namespaced_resource("jobset.x-k8s.io", "v1alpha2", "JobSet", "jobsets")
INDEX_LABEL: Final = "batch.kubernetes.io/job-completion-index"
TOLD_LINES: Final = 200
"""Of the first worker's output: what it told since the last look, and more."""
SOON: Final = 2.0
"""Seconds until the next look at jobs that run."""


@dataclass
class Reconciler:
    """What a reconcile needs."""

    client: AsyncClient
    image: str
    """Holds the trainer."""

    async def reconcile(self, namespace: str) -> float:
        """Make a namespace what its objects declare. Returns after how many seconds to look again."""
        items = await reading.items(self.client, TrainingJob, namespace, TrainingJobSpec, TrainingJobStatus)
        there = frozenset(await reading.claims(self.client, namespace)) if items else frozenset[str]()
        soon = False
        for item in items:
            job_set = await reading.found(self.client, JobSet, namespace, item.name)
            if job_set is not None and not objects.owns(item, job_set.metadata):
                observed = plan.Observed(there, taken=True)
            else:
                observed = plan.Observed(there, *await self._run(namespace, item.name, job_set))
            await self._apply(namespace, item, observed)
            shown, findings = plan.status(item, observed, datetime.now(UTC))
            await status.show(self.client, TrainingJob, namespace, item, shown, findings)
            soon = soon or plan.progressing(shown.state)
        return SOON if soon else STEADY

    async def _apply(self, namespace: str, item: plan.Object, observed: plan.Observed) -> None:
        """Apply the children. A JobSet's workers can't be changed, only sent away and called back.

        None of them has to be pruned: a job has the same ones all its life, and owns them.
        """
        if plan.refusal(item, observed) and observed.run is None:
            return
        owners = [objects.owner(item, KIND)]
        suspended = plan.suspended(item, datetime.now(UTC))
        if observed.run is None:
            # Only now: workers that run read what they were told at their start again when they start again.
            job = plan.job_of(item)
            document = [manifests.config_map(namespace, item, render(job))] if job else []
            workers = manifests.job_set(namespace, item, self.image, suspended)
            await apply.apply(self.client, [children.child(one, KIND, owners) for one in (*document, workers)])
        elif observed.run.suspended != suspended:
            patch = {"spec": {"suspend": suspended}}
            await self.client.patch(JobSet, item.name, patch, namespace=namespace, patch_type=PatchType.MERGE)

    async def _run(self, namespace: str, name: str, job_set: Any) -> tuple[plan.Run | None, tuple[Progress, ...]]:
        if job_set is None:
            return None, ()
        conditions = {
            entry["type"]: entry
            for entry in (job_set.get("status") or {}).get("conditions", ())
            if entry.get("status") == "True"
        }
        first = await self._first_worker(namespace, name)
        run = plan.Run(
            suspended=bool(job_set["spec"].get("suspend")),
            completed="Completed" in conditions,
            failed=str(conditions["Failed"].get("message") or "its workers failed") if "Failed" in conditions else "",
            waiting=_waiting(first),
            restarts=int((job_set.get("status") or {}).get("restarts", 0)),
        )
        return run, await self._told(namespace, first)

    async def _first_worker(self, namespace: str, name: str) -> Any:
        """The newest pod of worker 0; None while there is none."""
        labels: Any = {manifests.JOBSET_LABEL: name, INDEX_LABEL: "0"}
        found = [pod async for pod in self.client.list(Pod, namespace=namespace, labels=labels)]
        return max(found, key=lambda pod: str(pod.metadata and pod.metadata.creationTimestamp), default=None)

    async def _told(self, namespace: str, pod: Any) -> tuple[Progress, ...]:
        if pod is None:
            return ()
        told = []
        try:
            lines = self.client.log(
                pod.metadata.name, namespace=namespace, container=manifests.CONTAINER, tail_lines=TOLD_LINES
            )
            async for line in lines:
                try:
                    told.append(parse_progress(line))
                except ConfigError:
                    continue  # what a library, or anybody's own program, prints
        except ApiError as error:
            if error.status.code not in (400, 404):  # it has not started, or is gone
                raise
        return tuple(told)


def _waiting(pod: Any) -> str:
    """Why a pod does not start, '' if it does."""
    status_ = pod.status if pod else None
    if status_ is None or status_.phase != "Pending":
        return ""
    for container in status_.containerStatuses or ():
        reason = container.state.waiting if container.state else None
        if reason and reason.reason != "ContainerCreating":
            return f"worker 0: {reason.reason}: {reason.message or ''}".strip(": ")
    for condition in status_.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return f"worker 0 can't be placed: {condition.message}"
    return ""
