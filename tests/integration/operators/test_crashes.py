"""A crash before or after any write of the operator converges, and a reconcile that has nothing to do writes nothing.

The crash points are the writes that an undisturbed run is seen to make.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from lightkube import AsyncClient, KubeConfig
from lightkube.resources.core_v1 import ConfigMap

from operators.inference.handlers import SOON, Reconciler
from operators.inference.manifests import Images
from tests.integration.operators.objects import apply, delete_all, get, inference_model, versions
from tests.integration.parts.data_plane import DataPlane
from tests.integration.parts.kubernetes import Cluster
from tests.integration.parts.namespace import NAMESPACE
from tests.integration.parts.operator import GATEWAY, SERVING_IMAGE, TRITON_IMAGE

pytestmark = pytest.mark.usefixtures("resting_operator", "no_models")


class CrashError(Exception):
    """The operator ends here."""


class Client(AsyncClient):
    """Names its writes, and crashes at one of them: before the API server hears of it, or after."""

    def __init__(self, kubeconfig: KubeConfig, crash_at: str = "", before: bool = True) -> None:
        super().__init__(kubeconfig)
        self.writes: list[str] = []
        """Each kind of write once, in order: a child that is applied again as it is, or a status that says again what
        it said, is no other crash point."""
        self._configurations: list[str] = []
        self._crash_at, self._before = crash_at, before

    async def patch(self, res: Any, name: str, obj: Any, **options: Any) -> Any:
        what = f"patch {res.__name__}{self._content(res, name, obj)}"
        return await self._write(what, lambda: super(Client, self).patch(res, name, obj, **options))

    async def delete(self, res: Any, name: str, **options: Any) -> None:  # type: ignore[override]
        await self._write(f"delete {res.__name__} {name}", lambda: super(Client, self).delete(res, name, **options))

    def _content(self, res: Any, name: str, obj: Any) -> str:
        if res is ConfigMap:
            document = str(obj.data)
            if document not in self._configurations:
                self._configurations.append(document)
            return f" #{self._configurations.index(document)}"
        if res.__name__ == "InferenceModelStatus":
            return "".join(f" {entry['type']}={entry['status']}" for entry in obj["status"]["conditions"])
        return f" {name}"

    async def _write(self, what: str, write: Callable[[], Awaitable[Any]]) -> Any:
        if what not in self.writes:
            self.writes.append(what)
        if what == self._crash_at and self._before:
            raise CrashError(what)
        done = await write()
        if what == self._crash_at:
            raise CrashError(what)
        return done


async def run(client: Client) -> None:
    """A new operator, without memory, until it has nothing more to do."""
    images = Images(triton=TRITON_IMAGE, serving=SERVING_IMAGE)
    async with httpx2.AsyncClient() as http, asyncio.timeout(60):
        reconciler = Reconciler(client, http, GATEWAY, GATEWAY, images)
        while (again := await reconciler.reconcile(NAMESPACE)) is not None and again <= SOON:
            await asyncio.sleep(again)


def is_up_to_date(cluster: Cluster) -> bool:
    conditions = [entry for model in get(cluster, "im") for entry in model["status"]["conditions"]]
    return bool(conditions) and all(entry["status"] == "True" for entry in conditions)


async def converges_from_every_crash(cluster: Cluster, prepare: Callable[[str], Awaitable[None]]) -> None:
    """`prepare` sets the scene with a model of a new name, so that no engine holds it yet; then the operator works,
    crashes at each of its writes in turn, and works again."""
    config = KubeConfig.from_file(cluster.identity("operator"))
    await prepare("undisturbed")
    undisturbed = Client(config)
    await run(undisturbed)
    assert is_up_to_date(cluster)
    points = [(crash_at, before) for crash_at in undisturbed.writes for before in (True, False)]
    assert points
    for number, (crash_at, before) in enumerate(points):
        where = f"{'before' if before else 'after'}: {crash_at}"
        await prepare(f"crashed-{number}")
        with pytest.raises(CrashError):
            await run(Client(config, crash_at, before))
        await run(Client(config))
        assert is_up_to_date(cluster), where
        settled = versions(cluster)
        await run(Client(config))
        assert versions(cluster) == settled, where


async def test_a_first_model_converges_from_a_crash_at_each_write(cluster: Cluster, plane: DataPlane) -> None:
    async def nothing_but_the_object(name: str) -> None:
        delete_all(cluster)
        await run(Client(KubeConfig.from_file(cluster.identity("operator"))))
        apply(cluster, inference_model(name))

    await converges_from_every_crash(cluster, nothing_but_the_object)


async def test_a_new_revision_converges_from_a_crash_at_each_write(cluster: Cluster, plane: DataPlane) -> None:
    shutil.copytree(plane.claims / "models/minilm", plane.claims / "models/next", dirs_exist_ok=True)

    async def a_declared_change(name: str) -> None:
        delete_all(cluster)
        client = Client(KubeConfig.from_file(cluster.identity("operator")))
        apply(cluster, inference_model(name))
        await run(client)
        apply(cluster, inference_model(name, "next"))

    await converges_from_every_crash(cluster, a_declared_change)


async def test_a_reconcile_that_has_nothing_to_do_changes_no_resource_version(
    cluster: Cluster, plane: DataPlane
) -> None:
    config = KubeConfig.from_file(cluster.identity("operator"))
    apply(cluster, inference_model("one"), inference_model("two", task="sentence-similarity"))
    await run(Client(config))
    assert is_up_to_date(cluster)
    settled = versions(cluster)
    for _ in range(3):
        await run(Client(config))
    assert versions(cluster) == settled
