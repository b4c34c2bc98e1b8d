"""The reconcile of a namespace's `TrainingJob`s: reads, plans, applies, shows."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lightkube import AsyncClient
from lightkube import operators as matching
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
UID_LABEL: Final = "jobset.sigs.k8s.io/jobset-uid"
RESTART_LABEL: Final = "jobset.sigs.k8s.io/restart-attempt"
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
        workers = await self._workers(namespace) if items else {}
        there = frozenset(await reading.claims(self.client, namespace)) if items else frozenset[str]()
        return await objects.one_by_one(
            items, lambda item: self._reconcile(namespace, item, there, workers.get(item.name, []))
        )

    async def _reconcile(self, namespace: str, item: plan.Object, there: frozenset[str], workers: list[Any]) -> float:
        """One job; after how many seconds to look at it again."""
        job_set = await reading.found(self.client, JobSet, namespace, item.name)
        if job_set is not None and not objects.owns(item, job_set.metadata):
            observed = plan.Observed(there, taken=True)
        else:
            observed = plan.Observed(there, *await self._run(namespace, job_set, workers))
        await self._apply(namespace, item, observed)
        shown, findings = plan.status(item, observed, datetime.now(UTC))
        await status.show(self.client, TrainingJob, namespace, item, shown, findings)
        return SOON if plan.progressing(shown.state) else STEADY

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

    async def _workers(self, namespace: str) -> dict[str, list[Any]]:
        """All jobs' pods, by the name of the job.

        One that died is there for a second at least: so long the Job's controller waits before it looks at it. Its end
        is an event, and so leads here at once; what is found is kept in the job's status.
        """
        labels: Any = {manifests.JOBSET_LABEL: matching.exists()}
        listed: list[Any] = [pod async for pod in self.client.list(Pod, namespace=namespace, labels=labels)]
        found: dict[str, list[Any]] = {}
        for pod in listed:
            found.setdefault(pod.metadata.labels[manifests.JOBSET_LABEL], []).append(pod)
        return found

    async def _run(
        self, namespace: str, job_set: Any, pods: list[Any]
    ) -> tuple[plan.Run | None, tuple[Progress, ...], tuple[plan.Ended, ...]]:
        if job_set is None:
            return None, (), ()
        conditions = {
            entry["type"]: entry
            for entry in (job_set.get("status") or {}).get("conditions", ())
            if entry.get("status") == "True"
        }
        # Not those of a deleted job of that name.
        mine = [pod for pod in pods if pod.metadata.labels.get(UID_LABEL) in (None, job_set.metadata.uid)]
        first = _first_worker(mine)
        run = plan.Run(
            uid=str(job_set.metadata.uid),
            suspended=bool(job_set["spec"].get("suspend")),
            completed="Completed" in conditions,
            failed=str(conditions["Failed"].get("message") or "its workers failed") if "Failed" in conditions else "",
            waiting=reading.waiting(first, "worker 0"),
            started=bool(first and first.status and first.status.phase == "Running"),
            restarts=int((job_set.get("status") or {}).get("restarts", 0)),
        )
        return run, await self._told(namespace, first), tuple(ended for pod in mine if (ended := _ended(pod)))

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


def _first_worker(pods: list[Any]) -> Any:
    """The newest pod of worker 0; None while there is none."""
    found = [pod for pod in pods if pod.metadata.labels.get(INDEX_LABEL) == "0"]
    return max(found, key=lambda pod: str(pod.metadata.creationTimestamp), default=None)


def _ended(pod: Any) -> plan.Ended | None:
    """How a worker ended, if not well."""
    labels, status_ = pod.metadata.labels, pod.status
    if status_ is None or status_.phase != "Failed":
        return None
    states = [one.state.terminated for one in status_.containerStatuses or () if one.state and one.state.terminated]
    state = next(iter(states), None)  # its one container's; none where it never ran
    finished = state.finishedAt if state else None
    asked = pod.metadata.deletionTimestamp
    if asked:  # by when it has to be gone
        asked -= timedelta(seconds=pod.metadata.deletionGracePeriodSeconds or 0)
    return plan.Ended(
        worker=int(labels.get(INDEX_LABEL, 0)),
        restart=int(labels.get(RESTART_LABEL, 0)),
        reason=status_.reason or (state.reason if state else None) or "Error",
        exit_code=state.exitCode if state else None,
        message=status_.message or "",
        disruption=_disruption(status_),
        finished=finished,
        dismissed=bool(asked and finished and finished >= asked),
    )


def _disruption(pod_status: Any) -> str:
    """Why a pod was given up by others (https://kubernetes.io/docs/concepts/workloads/pods/disruptions/), '' if not."""
    for condition in pod_status.conditions or ():
        if condition.type == "DisruptionTarget" and condition.status == "True":
            return f"{condition.reason}: {condition.message or ''}".strip(": ")
    return ""
