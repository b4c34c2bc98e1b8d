"""How an object's status is shown."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.types import PatchType
from pydantic import BaseModel

from homespun.api.fields import Condition
from operators.conditions import Finding, conditions
from operators.objects import Object

log = logging.getLogger(__name__)


async def show(
    client: AsyncClient,
    resource: Any,
    namespace: str,
    item: Object[Any, Any],
    shown: BaseModel,
    findings: Sequence[Finding],
) -> None:
    """Write the status with the findings as its conditions, if it is another one than the object has."""
    before: tuple[Condition, ...] = item.status.conditions
    now = datetime.now(UTC)
    shown = shown.model_copy(update={"conditions": conditions(findings, before, item.generation, now)})
    if shown == item.status:
        return
    _log_transitions(namespace, item, shown, before)
    # A merge patch takes away only what it names: what is no longer shown must be null in it.
    status = {**dict.fromkeys(_fields(item.status)), **_fields(shown)}
    try:
        await client.patch(
            resource.Status, item.name, {"status": status}, namespace=namespace, patch_type=PatchType.MERGE
        )
    except ApiError as error:
        if error.status.code != 404:  # deleted meanwhile
            raise


def _fields(status: BaseModel) -> dict[str, Any]:
    return status.model_dump(by_alias=True, exclude_none=True, mode="json")


def _log_transitions(namespace: str, item: Object[Any, Any], shown: Any, before: tuple[Condition, ...]) -> None:
    known = {condition.type: condition.status for condition in before}
    for condition in shown.conditions:
        if known.get(condition.type) != condition.status:
            log.info("%s/%s %s=%s %s: %s", namespace, item.name, condition.type, condition.status, condition.reason,
                     condition.message)  # fmt: skip
