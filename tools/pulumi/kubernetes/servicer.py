"""The provider: the verbs that the engine calls, as pulumirpc.ResourceProvider describes them."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.empty_pb2 import Empty
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import engine_pb2, plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as messages
from pulumi.runtime.proto.engine_pb2_grpc import EngineStub

from tools.pulumi.engine import GRPC_OPTIONS
from tools.pulumi.kubernetes import diff, inputs, objects, readiness
from tools.pulumi.kubernetes.api import Client
from tools.pulumi.kubernetes.errors import KubeconfigError, KubernetesError, NotReady, Refused, UnknownKind, Unreachable
from tools.pulumi.kubernetes.kubeconfig import active_cluster, connection, read
from tools.pulumi.kubernetes.manifests import Components
from tools.pulumi.kubernetes.objects import MANAGER, Object, annotation, title
from tools.pulumi.kubernetes.values import Decoded, decode, encode, has_unknown, redact

READY_TIMEOUT: Final = 600.0
"""Seconds to wait for an object, where neither `custom_timeouts` nor `pulumi.com/timeoutSeconds` says otherwise."""
RETRY_TIMEOUT: Final = 15.0
"""Seconds in which a kind, a namespace, a webhook that comes in the same update may still appear."""
LONGEST_PAUSE: Final = 1.0
UNSUPPORTED: Final = ("renderYamlToDirectory", "helmReleaseSettings")
CHANGES: Final = {
    diff.Change.ADD: (messages.PropertyDiff.ADD, messages.PropertyDiff.ADD_REPLACE),
    diff.Change.DELETE: (messages.PropertyDiff.DELETE, messages.PropertyDiff.DELETE_REPLACE),
    diff.Change.UPDATE: (messages.PropertyDiff.UPDATE, messages.PropertyDiff.UPDATE_REPLACE),
}
"""A change's kind on the wire: in place, and as the cause of a replacement."""


class Kubernetes(ProviderServicer):
    """One configured provider. The engine starts a process for each."""

    def __init__(self, engine_address: str, version: str) -> None:
        super().__init__([], version, Components(version), engine_address)
        self._engine: Any = EngineStub(grpc.aio.insecure_channel(engine_address, options=GRPC_OPTIONS))
        self._plugin_version = version
        self._options: dict[str, Any] = {}
        self._client_or_failure: Client | KubernetesError = KubernetesError(
            "the provider's kubeconfig is not known yet: it comes from something that does not exist yet"
        )
        self._cancelled = asyncio.Event()

    # ---------------------------------------------------------------- the provider itself

    async def Handshake(self, request: messages.ProviderHandshakeRequest, context: Any) -> Any:
        return messages.ProviderHandshakeResponse(accept_secrets=True)

    async def GetPluginInfo(self, request: Empty, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._plugin_version)

    async def GetSchema(self, request: messages.GetSchemaRequest, context: Any) -> messages.GetSchemaResponse:
        return messages.GetSchemaResponse(schema=json.dumps({"name": "kubernetes", "version": self._plugin_version}))

    async def CheckConfig(self, request: messages.CheckRequest, context: Any) -> messages.CheckResponse:
        given = decode(request.news).value
        failures = [
            messages.CheckFailure(property=key, reason="known to the official plugin only")
            for key in UNSUPPORTED
            if given.get(key)
        ]
        if given.get("enableServerSideApply") in (False, "false"):
            failures.append(
                messages.CheckFailure(property="enableServerSideApply", reason="can't be switched off here")
            )
        return messages.CheckResponse(inputs=request.news, failures=failures)

    async def DiffConfig(self, request: messages.DiffRequest, context: Any) -> messages.DiffResponse:
        old, new = decode(request.old_inputs).value or decode(request.olds).value, decode(request.news).value
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        return messages.DiffResponse(
            changes=messages.DiffResponse.DIFF_SOME if changed else messages.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=_other_cluster(old, new, changed),
        )

    async def Configure(self, request: messages.ConfigureRequest, context: Any) -> messages.ConfigureResponse:
        self._options = decode(request.args).value
        if not has_unknown(self._options):
            try:
                text, folder = read(self._option("kubeconfig"), os.environ)
                selected = (self._option("context"), self._option("cluster"), self._option("namespace"))
                self._client_or_failure = Client(connection(text, folder, *selected))
            except KubeconfigError as error:
                self._client_or_failure = error
        return messages.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    async def Cancel(self, request: Empty, context: Any) -> Empty:
        self._cancelled.set()
        return Empty()

    async def Invoke(self, request: messages.InvokeRequest, context: Any) -> messages.InvokeResponse:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{request.tok}: known to the official plugin only")
        raise AssertionError  # abort raises

    # ---------------------------------------------------------------- resources

    async def Check(self, request: messages.CheckRequest, context: Any) -> messages.CheckResponse:
        recorded, declared = decode(request.olds).value, decode(request.news)
        if failures := inputs.failures(declared.value, request.type):
            return messages.CheckResponse(
                inputs=request.news,
                failures=[
                    messages.CheckFailure(property=failure.property, reason=failure.reason) for failure in failures
                ],
            )
        async with _refusals(context, declared):
            namespace = await self._default_namespace(declared.value, recorded)
        completed = inputs.completed(
            declared.value,
            recorded,
            urn=request.urn,
            token=request.type,
            seed=bytes(request.randomSeed),
            namespace=namespace,
        )
        return messages.CheckResponse(inputs=_encode(completed, declared))

    async def Diff(self, request: messages.DiffRequest, context: Any) -> messages.DiffResponse:
        old, new = decode(request.old_inputs).value, decode(request.news).value
        client = self._client_or_failure
        namespace = client.namespace if isinstance(client, Client) else ""
        changes = diff.declared_difference(old, new, namespace)
        replaces = diff.replacing(changes, new, self._mutable())
        if changes and not replaces and isinstance(client, Client) and not has_unknown(new):
            try:
                await client.apply(objects.manifest(new), new[MANAGER], force=True, dry_run=True)
            except Refused as error:
                replaces = diff.refused(changes, error.fields) if error.immutable else replaces
            except (UnknownKind, Unreachable):
                pass  # said when the update is previewed
        return messages.DiffResponse(
            changes=messages.DiffResponse.DIFF_SOME if changes else messages.DiffResponse.DIFF_NONE,
            diffs=sorted({diff.top_level(path) for path in changes}),
            replaces=sorted({diff.top_level(path) for path in replaces}),
            detailedDiff={
                path: messages.PropertyDiff(kind=CHANGES[change][path in replaces], inputDiff=True)
                for path, change in changes.items()
            },
            hasDetailedDiff=True,
            deleteBeforeReplace=bool(replaces) and diff.same_name(old, new) and not diff.autonamed(new),
        )

    async def Create(self, request: messages.CreateRequest, context: Any) -> messages.CreateResponse:
        declared = decode(request.properties)
        if request.preview:
            foreseen = await self._foresee(declared, request.type, context, creating=True)
            return messages.CreateResponse(properties=_encode(foreseen, declared))
        async with _refusals(context, declared):
            await self._make_way(declared.value, request)
            live = await self._ready(await self._put(declared.value), request)
            return messages.CreateResponse(
                id=objects.identity(live), properties=_encode(objects.outputs(live, declared.value[MANAGER]), declared)
            )
        raise AssertionError  # _refusals aborts, which raises

    async def Update(self, request: messages.UpdateRequest, context: Any) -> messages.UpdateResponse:
        declared = decode(request.news)
        if request.preview:
            foreseen = await self._foresee(declared, request.type, context, creating=False)
            return messages.UpdateResponse(properties=_encode(foreseen, declared))
        async with _refusals(context, declared):
            try:
                live = await self._ready(await self._put(declared.value), request)
            except (Unreachable, KubeconfigError) as error:
                if not self._flag("skipUpdateUnreachable"):
                    raise
                await self._log(engine_pb2.WARNING, request.urn, f"not updated: {error}")
                return messages.UpdateResponse(properties=request.olds)
            return messages.UpdateResponse(properties=_encode(objects.outputs(live, declared.value[MANAGER]), declared))
        raise AssertionError

    async def Read(self, request: messages.ReadRequest, context: Any) -> messages.ReadResponse:
        recorded, state = decode(request.inputs), decode(request.properties).value
        known = Decoded(recorded.value or state or inputs.named(request.type, request.id), recorded.secrets)
        async with _refusals(context, known):
            try:
                return await self._read(known, imported=not recorded.value)
            except (Unreachable, KubeconfigError) as error:
                if self._flag("deleteUnreachable"):
                    await self._log(engine_pb2.WARNING, request.urn, f"taken for gone: {error}")
                    return messages.ReadResponse()
                if not self._flag("skipUpdateUnreachable"):
                    raise
                await self._log(engine_pb2.WARNING, request.urn, f"not refreshed: {error}")
                return messages.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        raise AssertionError

    async def Delete(self, request: messages.DeleteRequest, context: Any) -> Empty:
        state = decode(request.properties)
        async with _refusals(context, state):
            try:
                await self._delete(state.value, request)
            except (Unreachable, KubeconfigError) as error:
                if not self._flag("deleteUnreachable"):
                    raise
                await self._log(engine_pb2.WARNING, request.urn, f"taken for deleted: {error}")
        return Empty()

    # ---------------------------------------------------------------- what they are made of

    async def _default_namespace(self, declared: Object, recorded: Object) -> str | None:
        """Where an object goes that names no namespace. Asks the server on each kind's first check, so that one that
        is away is told of once, before anything is begun.
        """
        was = (recorded.get("metadata") or {}).get("namespace")
        try:
            return self._client.namespace if await self._client.namespaced(declared) else None
        except UnknownKind:
            return was  # its definition comes in this same update
        except (Unreachable, KubeconfigError):
            if self._flag("skipUpdateUnreachable") or self._flag("deleteUnreachable"):
                return was
            raise
        except KubernetesError:
            return was  # not configured yet: a preview

    async def _foresee(self, declared: Decoded, token: str, context: Any, *, creating: bool) -> Object:
        """What an object will be: the server's dry run of it, or as much as was declared where none is possible."""
        new = declared.value
        if not isinstance(self._client_or_failure, Client) or has_unknown(new):
            return new
        async with _refusals(context, declared):
            try:
                if creating and inputs.is_patch(token) and await self._client.get(new) is None:
                    return new
                dry = await self._client.apply(
                    objects.manifest(new), new[MANAGER], force=self._force(new), dry_run=True
                )
            except UnknownKind:
                return new
            except Unreachable:
                if not self._flag("skipUpdateUnreachable"):
                    raise
                return new
            except Refused as error:
                # Its namespace comes in this same update; its old self goes in it; a webhook can't do a dry run.
                passing = error.status == 404 or (creating and (error.immutable or error.conflicts_with_us))
                if passing or (error.status == 400 and "dry run" in str(error)):
                    return new
                raise
            return objects.foreseen(dry, new) if creating else objects.outputs(dry, new[MANAGER])
        raise AssertionError

    async def _make_way(self, new: Object, request: messages.CreateRequest) -> None:
        """Refuse to create what is there already, wait for what is on its way out. Raises KubernetesError."""
        existing = await self._client.get(new)
        if inputs.is_patch(request.type):
            if existing is None:
                raise KubernetesError(f"{title(new)}: expected an object to patch, found none")
            return
        if existing is None:
            return
        if existing["metadata"].get("deletionTimestamp"):
            await self._until_gone(existing, request)
        elif not self._flag("upsertExistingObjects"):
            raise KubernetesError(
                f"{title(new)}: exists already, and not in this stack. Import it, or let the provider take it over with"
                " upsert_existing_objects"
            )

    async def _put(self, new: Object) -> Object:
        """Apply; what may still be on its way is tried again for a while."""
        deadline = time.monotonic() + RETRY_TIMEOUT
        while True:
            try:
                return await self._client.apply(objects.manifest(new), new[MANAGER], force=self._force(new))
            except (UnknownKind, Refused) as error:
                passing = isinstance(error, UnknownKind) or error.passing
                if not passing or time.monotonic() > deadline or self._cancelled.is_set():
                    raise
            await self._pause(0.5)

    async def _ready(self, live: Object, request: messages.CreateRequest | messages.UpdateRequest) -> Object:
        """Wait until the object is ready. Raises NotReady."""
        if annotation(live, "skipAwait") == "true" or inputs.is_patch(request.type):
            return live
        timeout = _timeout(live, request.timeout)
        deadline, pause = time.monotonic() + timeout, 0.1
        away = None
        while (reason := away or readiness.pending(live, await self._storage_class(live))) is not None:
            reasons = [f"{title(live)}: {reason}", *([] if away else await self._troubles(live))]
            if self._cancelled.is_set():
                raise NotReady(live, ["cancelled while waiting", *reasons])
            if time.monotonic() > deadline:
                raise NotReady(live, [f"not ready within {timeout:.0f} s", *reasons])
            await self._say(request.urn, "; ".join(reasons))
            await self._pause(pause)
            pause = min(LONGEST_PAUSE, pause * 1.5)
            try:
                fresh, away = await self._client.get(live), None
            except Unreachable as error:  # a control plane that restarts is not the object's fault
                away = str(error)
                continue
            if fresh is None:
                raise NotReady(live, [f"{title(live)}: deleted by somebody else while it was waited for"])
            live = fresh
        return live

    async def _read(self, known: Decoded, *, imported: bool) -> messages.ReadResponse:
        live = await self._client.get(known.value)
        if live is None:
            return messages.ReadResponse()
        if imported:
            found = diff.imported(objects.without_server_set(live))
        else:
            found = await self._inputs_of(known.value, live)
        return messages.ReadResponse(
            id=objects.identity(live),
            properties=_encode(objects.outputs(live, known.value.get(MANAGER, "")), known),
            inputs=_encode(found, known),
        )

    async def _inputs_of(self, recorded: Object, live: Object) -> Object:
        """The recorded inputs, or what they would have to be: it is drift if applying them would change the object."""
        if MANAGER not in recorded:
            return recorded
        try:
            after = await self._client.apply(objects.manifest(recorded), recorded[MANAGER], force=True, dry_run=True)
        except Refused:
            return diff.drifted(recorded, live)
        if objects.without_server_set(after) == objects.without_server_set(live):
            return recorded
        return diff.drifted(recorded, live)

    async def _delete(self, state: Object, request: messages.DeleteRequest) -> None:
        if inputs.is_patch(request.type):
            with contextlib.suppress(UnknownKind):
                if await self._client.get(state) is not None:
                    await self._client.apply(objects.bare(state), state[MANAGER], force=True)
            return
        await self._client.delete(state, annotation(state, "deletionPropagationPolicy") or "Background")
        if annotation(state, "skipAwait") != "true":
            await self._until_gone(state, request)

    async def _until_gone(self, obj: Object, request: messages.DeleteRequest | messages.CreateRequest) -> None:
        """Wait until the object is gone, or another one has its name. Raises KubernetesError at the timeout."""
        timeout = _timeout(obj, request.timeout)
        deadline, pause = time.monotonic() + timeout, 0.05
        uid = obj["metadata"].get("uid")
        while live := await self._client.get(obj):
            if uid not in (None, live["metadata"]["uid"]):
                return
            finalizers = live["metadata"].get("finalizers") or (live.get("spec") or {}).get("finalizers") or []
            reason = (
                f"{title(live)}: still being deleted{': finalizers ' + ', '.join(finalizers) if finalizers else ''}"
            )
            if time.monotonic() > deadline or self._cancelled.is_set():
                raise KubernetesError(f"{reason}; gave up after {timeout:.0f} s")
            await self._pause(pause)
            if pause > LONGEST_PAUSE / 2:
                await self._say(request.urn, reason)
            pause = min(LONGEST_PAUSE, pause * 1.5)

    async def _storage_class(self, live: Object) -> Object | None:
        name = (live.get("spec") or {}).get("storageClassName") if live["kind"] == "PersistentVolumeClaim" else None
        if not name:
            return None
        return await self._client.get(
            {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
        )

    async def _troubles(self, live: Object) -> list[str]:
        """What its pods complain of."""
        if not readiness.has_pods(live):
            return []
        try:
            pods = await self._client.pods(live["metadata"]["namespace"], readiness.selector(live))
        except (Refused, Unreachable):  # may not be looked at; the wait goes on
            return []
        return readiness.troubles(pods)

    @property
    def _client(self) -> Client:
        if isinstance(self._client_or_failure, KubernetesError):
            raise self._client_or_failure
        return self._client_or_failure

    def _option(self, name: str) -> str:
        value = self._options.get(name) or ""
        return value if isinstance(value, str) else json.dumps(value)

    def _flag(self, name: str) -> bool:
        return self._options.get(name) in (True, "true")  # the engine hands on an option as JSON text

    def _force(self, new: Object) -> bool:
        """Whether to take fields over that others own: what the object says, else what the provider says."""
        return (annotation(new, "patchForce") or str(self._flag("enablePatchForce")).lower()) == "true"

    def _mutable(self) -> frozenset[str]:
        flags = {"ConfigMap": "enableConfigMapMutable", "Secret": "enableSecretMutable"}
        return frozenset(kind for kind, flag in flags.items() if self._flag(flag))

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless the user gives up meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._cancelled.wait(), seconds)

    async def _say(self, urn: str, message: str) -> None:
        """A line of status beside the resource, replaced by the next one."""
        await self._log(engine_pb2.INFO, urn, message, ephemeral=True)

    async def _log(self, severity: Any, urn: str, message: str, *, ephemeral: bool = False) -> None:
        request = engine_pb2.LogRequest(severity=severity, urn=urn, message=message, ephemeral=ephemeral)
        with contextlib.suppress(grpc.aio.AioRpcError):  # an engine that goes needs no lines any more
            await self._engine.Log(request)


def _other_cluster(old: dict[str, Any], new: dict[str, Any], changed: list[str]) -> list[str]:
    """The options by which a provider leads to another cluster, so that all that it made must be made anew."""
    if new.get("clusterIdentifier"):
        was = old.get("clusterIdentifier")
        return ["clusterIdentifier"] if was and was != new["clusterIdentifier"] else []
    selects = [key for key in changed if key in ("kubeconfig", "context", "cluster")]
    if not selects or (has_unknown(new) and "kubeconfig" in selects):
        return selects
    try:
        return [] if _cluster_of(old) == _cluster_of(new) else selects
    except KubeconfigError:
        return []  # an old file may be gone; the new one is read, and complained of, when it is used


def _cluster_of(options: dict[str, Any]) -> dict[str, Any]:
    text, _ = read(options.get("kubeconfig") or "", os.environ)
    return active_cluster(text, options.get("context") or "", options.get("cluster") or "")


def _timeout(obj: Object, asked: float) -> float:
    """Seconds: `custom_timeouts`, else the object's annotation, else ours."""
    noted = annotation(obj, "timeoutSeconds")
    return asked or (float(noted) if noted.replace(".", "", 1).isdigit() else READY_TIMEOUT)


def _encode(obj: Object, declared: Decoded) -> Any:
    return encode(obj, objects.secret_paths(obj, declared.secrets))


@contextlib.asynccontextmanager
async def _refusals(context: Any, declared: Decoded) -> AsyncIterator[None]:
    """Where errors become what the engine shows: one message each, without the program's secrets."""
    new = declared.value
    secrets = objects.secret_paths(new, declared.secrets)

    def shown(text: str) -> str:
        return redact(text, new, secrets)

    try:
        yield
    except NotReady as error:
        detail = messages.ErrorResourceInitFailed(
            id=objects.identity(error.live),
            properties=_encode(objects.outputs(error.live, new[MANAGER]), declared),
            reasons=[shown(reason) for reason in error.reasons],
            inputs=_encode(new, declared),
        )
        packed = Packed()
        packed.Pack(detail)
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=shown(str(error)), details=[packed])
        trailer = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(grpc.StatusCode.UNKNOWN, shown(str(error)), trailing_metadata=trailer)
    except Unreachable as error:
        await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
    except Refused as error:
        advice = (
            ". Another field manager owns them: leave them out here, or take them over with the annotation"
            f' {objects.ANNOTATIONS}patchForce: "true"'
            if error.status == 409
            else ""
        )
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, shown(f"{title(new)}: {error}{advice}"))
    except KubernetesError as error:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, shown(str(error)))
