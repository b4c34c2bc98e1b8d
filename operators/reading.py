"""What a reconcile reads, whatever its kind: the configuration that is followed now, declared Secrets, the gateway."""

import base64
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from httpx2 import AsyncClient as HttpClient
from httpx2 import HTTPError
from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.resources.core_v1 import ConfigMap, PersistentVolumeClaim, Secret
from pydantic import BaseModel

from homespun.api.fields import SecretKey
from operators.objects import Object, read
from workloads.edge.document import PROBE_TOKEN_HEADER, ConfigError

T = TypeVar("T")
S = TypeVar("S", bound=BaseModel)
V = TypeVar("V", bound=BaseModel)
Secrets = dict[tuple[str, str], str]
"""Values by (name of the Secret, key); '' for a key that its Secret lacks."""

PROBE_KEY: Final = "token"

log = logging.getLogger(__name__)


async def found(client: AsyncClient, resource: Any, namespace: str, name: str) -> Any:
    """One of lightkube's resources; None if there is none of that name."""
    try:
        return await client.get(resource, name, namespace=namespace)
    except ApiError as error:
        if error.status.code == 404:
            return None
        raise


async def items(
    client: AsyncClient, resource: Any, namespace: str, spec: type[S], status: type[V]
) -> tuple[Object[S, V], ...]:
    """All objects of one of our kinds."""
    return tuple([read(one, spec, status) async for one in client.list(resource, namespace=namespace)])


async def configuration(
    client: AsyncClient, namespace: str, name: str, key: str, parse: Callable[[str], T], empty: T
) -> T:
    """The configuration in a ConfigMap; `empty` where there is none, or none that can be read: it is written anew."""
    there = await found(client, ConfigMap, namespace, name)
    if there is None:
        return empty
    try:
        return parse((there.data or {}).get(key, ""))
    except ConfigError as error:
        log.warning("ConfigMap %s/%s: %s; it is written anew", namespace, name, error)
        return empty


async def secret(client: AsyncClient, namespace: str, name: str) -> dict[str, str]:
    """The values of a Secret, {} if there is none."""
    there = await found(client, Secret, namespace, name)
    return _values(there) if there else {}


async def declared_secrets(client: AsyncClient, namespace: str, refs: Iterable[SecretKey]) -> Secrets:
    """The keys that objects refer to, of the Secrets that exist. A file that one was made of may end with a line."""
    wanted: dict[str, set[str]] = {}
    for ref in refs:
        wanted.setdefault(ref.name, set()).add(ref.key)
    declared: Secrets = {}
    for name, keys in sorted(wanted.items()):
        if (there := await found(client, Secret, namespace, name)) is not None:
            values = _values(there)
            declared.update({(name, key): values.get(key, "").strip() for key in keys})
    return declared


async def declared_keys(client: AsyncClient, namespace: str, refs: Iterable[SecretKey]) -> dict[tuple[str, str], bool]:
    """Of the keys that objects refer to, in the Secrets that exist, whether they are there: no value is handed on."""
    return {ref: bool(value) for ref, value in (await declared_secrets(client, namespace, refs)).items()}


async def probe_token(client: AsyncClient, namespace: str, name: str) -> str:
    """The operator's own token: made once, kept in a Secret of the namespace."""
    return (await secret(client, namespace, name)).get(PROBE_KEY) or secrets.token_urlsafe(32)


async def claims(client: AsyncClient, namespace: str) -> set[str]:
    """The claims that there are."""
    listed = client.list(PersistentVolumeClaim, namespace=namespace)
    return {str(one.metadata.name) async for one in listed if one.metadata}


async def placements(http: HttpClient, gateway: str, token: str, parse: Callable[[str], T]) -> T | None:
    """What the agents report, through the gateway; None while it does not answer."""
    try:
        answer = await http.get(f"{gateway}/-/state", headers={PROBE_TOKEN_HEADER: token})
        if answer.status_code == 200:
            return parse(answer.text)
    except (HTTPError, ConfigError) as error:
        log.debug("gateway: %s", error)
    return None


def waiting(pod: Any, who: str) -> str:
    """Why a pod, `who` to people, does not start; '' if it does, or there is none."""
    status = pod.status if pod else None
    if status is None or status.phase != "Pending":
        return ""
    for container in status.containerStatuses or ():
        reason = container.state.waiting if container.state else None
        if reason and reason.reason != "ContainerCreating":
            return f"{who}: {reason.reason}: {reason.message or ''}".strip(": ")
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return f"{who} can't be placed: {condition.message}"
    return ""


def _values(secret: Any) -> dict[str, str]:
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in (secret.data or {}).items()}
