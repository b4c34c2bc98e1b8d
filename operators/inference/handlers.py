"""The reconcile of a namespace's `InferenceModel`s: reads, plans, applies, probes, shows."""

import base64
import logging
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from httpx2 import AsyncClient as HttpClient
from httpx2 import HTTPError
from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, PersistentVolumeClaim, Secret, Service
from lightkube.types import PatchType

from homespun.api.fields import GROUP, VERSION
from homespun.api.inference import KIND, PLURAL, InferenceModelSpec, InferenceModelStatus
from operators import apply
from operators.children import Manifest, child
from operators.conditions import conditions
from operators.inference import manifests, plan
from operators.inference.probing import ask
from workloads.edge.document import PROBE_TOKEN_HEADER, ConfigError
from workloads.inference.config import CONFIG_KEY, CONFIG_MAP, Config, Placement, parse, parse_placements, render

InferenceModel = create_namespaced_resource(GROUP, VERSION, KIND, PLURAL)
CHILDREN: Final = (ConfigMap, Secret, Service, Deployment)
SOON: Final = 0.5
"""Seconds until the next look while something is under way."""
STEADY: Final = 10.0
"""Seconds until the next look when all is as it ought to be: events may be lost."""

log = logging.getLogger(__name__)


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
        documents = [item async for item in self.client.list(InferenceModel, namespace=namespace)]
        objects = tuple(_object(document) for document in documents)
        if not objects:
            await self._apply(namespace, [manifests.config_map(namespace, render(Config()))], ())
            return STEADY
        probe_token = await self._probe_token(namespace)
        observed = plan.Observed(
            objects=objects,
            config=await self._config(namespace),
            secrets=await self._secrets(namespace, objects),
            probes=self.probes,
        )
        config = plan.next_config(observed, probe_token)
        await self._apply_children(namespace, observed, config, probe_token)

        observed = replace(observed, config=config, placements=await self._placements(probe_token))
        await self._probe(plan.probes(observed, config), probe_token)
        observed = replace(observed, probes=self.probes)
        if plan.next_config(observed, probe_token) != config:
            return 0.0  # a revision passed its probe: switch to it before anything is said
        for item, document in zip(objects, documents, strict=True):
            await self._show(namespace, item, document, observed, config)
        return SOON if plan.progressing(observed, config) else STEADY

    async def _config(self, namespace: str) -> Config:
        try:
            found = await self.client.get(ConfigMap, CONFIG_MAP, namespace=namespace)
            return parse((found.data or {}).get(CONFIG_KEY, ""))
        except ApiError as error:
            if error.status.code != 404:
                raise
        except ConfigError as error:
            log.warning("ConfigMap %s/%s: %s; it is written anew", namespace, CONFIG_MAP, error)
        return Config()

    async def _secrets(self, namespace: str, objects: tuple[plan.Object, ...]) -> dict[tuple[str, str], str]:
        wanted = {(ref.name, ref.key) for item in objects for ref in plan.secret_keys(item.spec)}
        found: dict[tuple[str, str], str] = {}
        for name in {name for name, _ in wanted}:
            data = await self._secret(namespace, name)
            found.update({(name, key): value for key, value in data.items() if (name, key) in wanted})
        return found

    async def _probe_token(self, namespace: str) -> str:
        """The operator's own token: made once, kept in a Secret of the namespace."""
        token = (await self._secret(namespace, manifests.PROBE_SECRET)).get(manifests.PROBE_KEY)
        return token or secrets.token_urlsafe(32)

    async def _secret(self, namespace: str, name: str) -> dict[str, str]:
        try:
            found = await self.client.get(Secret, name, namespace=namespace)
        except ApiError as error:
            if error.status.code == 404:
                return {}
            raise
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in (found.data or {}).items()}

    async def _apply_children(self, namespace: str, observed: plan.Observed, config: Config, probe_token: str) -> None:
        found = self.client.list(PersistentVolumeClaim, namespace=namespace)
        there = {str(one.metadata.name) async for one in found if one.metadata}
        wanted = [
            manifests.secret(namespace, manifests.PROBE_SECRET, {manifests.PROBE_KEY: probe_token}),
            manifests.sources_secret(namespace, plan.source_tokens(observed)),
            manifests.config_map(namespace, render(config)),
            manifests.service(namespace),
            manifests.deployment(namespace, self.images, plan.claims(config, there)),
        ]
        await self._apply(namespace, wanted, observed.objects)

    async def _apply(self, namespace: str, wanted: list[Manifest], objects: tuple[plan.Object, ...]) -> None:
        """Apply the children. All go with the last object but the configuration: that one then says 'no models',
        since to those who follow it a deletion could as well be an accident."""
        owners = [_owner(item) for item in objects]
        owned = [child(manifest, KIND, () if manifest["kind"] == "ConfigMap" else owners) for manifest in wanted]
        await apply.apply(self.client, owned)
        await apply.prune(self.client, namespace, KIND, CHILDREN, wanted)

    async def _placements(self, probe_token: str) -> tuple[Placement, ...] | None:
        """What the agents report, through the gateway; None while it does not answer."""
        try:
            answer = await self.http.get(f"{self.gateway}/-/state", headers={PROBE_TOKEN_HEADER: probe_token})
            if answer.status_code == 200:
                return parse_placements(answer.text)
        except (HTTPError, ConfigError) as error:
            log.debug("gateway: %s", error)
        return None

    async def _probe(self, wanted: tuple[plan.Probe, ...], probe_token: str) -> None:
        """Ask each probe that has no good answer yet, and forget those that speak for engines of the past."""
        self.probes = {probe: wrong for probe, wrong in self.probes.items() if probe in wanted}
        for probe in wanted:
            if self.probes.get(probe) != "":
                self.probes[probe] = await ask(self.http, self.gateway, probe, probe_token)

    async def _show(
        self, namespace: str, item: plan.Object, document: Any, observed: plan.Observed, config: Config
    ) -> None:
        shown, findings = plan.status(item, observed, config, self.url)
        now = datetime.now(UTC)
        shown = shown.model_copy(
            update={"conditions": conditions(findings, item.status.conditions, item.generation, now)}
        )
        if shown == item.status:
            return
        _log_transitions(namespace, item, shown)
        # A merge patch takes away only what it names: what is no longer shown must be null in it.
        status = {**dict.fromkeys(document.get("status") or {}), **_shown(shown)}
        try:
            await self.client.patch(
                InferenceModel.Status, item.name, {"status": status}, namespace=namespace, patch_type=PatchType.MERGE
            )
        except ApiError as error:
            if error.status.code != 404:  # deleted meanwhile
                raise


def _object(document: Any) -> plan.Object:
    metadata = document.metadata
    return plan.Object(
        name=metadata.name,
        uid=metadata.uid,
        generation=metadata.generation,
        created=str(metadata.creationTimestamp),
        spec=InferenceModelSpec.model_validate(document["spec"]),
        status=InferenceModelStatus.model_validate(document.get("status") or {}),
    )


def _owner(item: plan.Object) -> Manifest:
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "name": item.name, "uid": item.uid}


def _shown(status: InferenceModelStatus) -> dict[str, Any]:
    return status.model_dump(by_alias=True, exclude_none=True, mode="json")


def _log_transitions(namespace: str, item: plan.Object, shown: InferenceModelStatus) -> None:
    before = {condition.type: condition.status for condition in item.status.conditions}
    for condition in shown.conditions:
        if before.get(condition.type) != condition.status:
            log.info("%s/%s %s=%s %s: %s", namespace, item.name, condition.type, condition.status, condition.reason,
                     condition.message)  # fmt: skip
