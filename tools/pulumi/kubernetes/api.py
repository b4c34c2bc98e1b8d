"""The API server's client: server-side apply, and the little else that the provider asks for."""

import json
import ssl
import tempfile
from pathlib import Path
from typing import Any, Final

import httpx

from tools.pulumi.kubernetes.errors import KubeconfigError, Refused, UnknownKind, Unreachable
from tools.pulumi.kubernetes.kubeconfig import Connection
from tools.pulumi.kubernetes.objects import Object

TIMEOUT: Final = httpx.Timeout(60, connect=10)
CONNECTIONS: Final = 16
CRD: Final = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


class Client:
    """One cluster's API. All methods raise Unreachable, Refused or UnknownKind."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._kinds: dict[tuple[str, str], tuple[str, bool]] = {}
        self._http = httpx.AsyncClient(
            base_url=connection.server,
            verify=_tls(connection),
            headers={"Authorization": f"Bearer {connection.token}"} if connection.token else {},
            timeout=TIMEOUT,
            trust_env=False,
            limits=httpx.Limits(max_connections=CONNECTIONS),
        )

    @property
    def namespace(self) -> str:
        """Where objects go that name no namespace."""
        return self._connection.namespace

    async def version(self) -> str:
        """The server's version; asked for to learn whether it answers."""
        return str((await self._call("GET", "/version"))["gitVersion"])

    async def namespaced(self, obj: Object) -> bool:
        """Whether objects of this kind live in a namespace."""
        return (await self._kind(obj))[1]

    async def get(self, obj: Object) -> Object | None:
        """The living object; None if there is none of this name, or no such kind any more."""
        try:
            return await self._call("GET", await self._path(obj))
        except UnknownKind:
            return None
        except Refused as error:
            if error.status == 404:
                return None
            raise

    async def apply(self, obj: Object, manager: str, *, force: bool, dry_run: bool = False) -> Object:
        """Server-side apply; strict: a field that the kind does not have is refused."""
        parameters = {"fieldManager": manager, "fieldValidation": "Strict", "force": str(force).lower()}
        if dry_run:
            parameters["dryRun"] = "All"
        headers = {"Content-Type": "application/apply-patch+yaml"}
        path = await self._path(obj)
        applied = await self._call("PATCH", path, params=parameters, headers=headers, content=json.dumps(obj))
        if (obj["apiVersion"], obj["kind"]) == CRD:
            self._kinds.clear()
        return applied

    async def delete(self, obj: Object, propagation: str) -> None:
        """Begin to delete it; nothing happens if it is gone already. `propagation`: Background, Foreground, Orphan."""
        try:
            await self._call("DELETE", await self._path(obj), params={"propagationPolicy": propagation})
        except UnknownKind:
            return
        except Refused as error:
            if error.status != 404:
                raise

    async def pods(self, namespace: str, selector: str) -> list[Object]:
        """The pods that a label selector finds."""
        answer = await self._call("GET", f"/api/v1/namespaces/{namespace}/pods", params={"labelSelector": selector})
        pods: list[Object] = answer["items"]
        return pods

    async def _path(self, obj: Object) -> str:
        plural, namespaced = await self._kind(obj)
        root = _root(obj["apiVersion"])
        if namespaced:
            root += f"/namespaces/{obj['metadata'].get('namespace') or self.namespace}"
        return f"{root}/{plural}/{obj['metadata']['name']}"

    async def _kind(self, obj: Object) -> tuple[str, bool]:
        """The plural that stands in paths, and whether the kind is namespaced. Raises UnknownKind."""
        version, kind = obj["apiVersion"], obj["kind"]
        if (version, kind) not in self._kinds:
            try:
                resources = (await self._call("GET", _root(version)))["resources"]
            except Refused as error:
                if error.status != 404:
                    raise
                resources = []
            for resource in resources:
                if "/" not in resource["name"]:  # not a subresource
                    self._kinds[version, resource["kind"]] = (resource["name"], resource["namespaced"])
        try:
            return self._kinds[version, kind]
        except KeyError:
            raise UnknownKind(
                f"{kind} of {version}: the API server has no such kind. Is its CustomResourceDefinition there? If this"
                " program makes it, name it in depends_on"
            ) from None

    async def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            found = str(error) or type(error).__name__
            raise Unreachable(
                f"{self._connection.server}: expected an API server that answers, found: {found}. Is the cluster up?"
            ) from error
        if answer.is_success:
            content: dict[str, Any] = answer.json()
            return content
        raise _refusal(answer)


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _refusal(answer: httpx.Response) -> Refused:
    try:
        status = answer.json()
    except ValueError:
        status = {"message": answer.text.strip()}
    causes = (status.get("details") or {}).get("causes") or []
    fields = tuple(cause.get("field", "").lstrip(".") for cause in causes)
    message = status.get("message") or f"HTTP {answer.status_code}"
    if answer.status_code == 401:
        message = f"{answer.url.host}: the API server does not know these credentials (401)"
    return Refused(answer.status_code, status.get("reason", ""), message, fields)


def _tls(connection: Connection) -> ssl.SSLContext | bool:
    if not connection.server.startswith("https:"):
        return True
    try:
        context = ssl.create_default_context(cadata=connection.authority.decode() if connection.authority else None)
        if not connection.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if connection.certificate and connection.key:
            _load_certificate(context, connection.certificate, connection.key)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"kubeconfig: expected PEM certificates and a key that fit, found: {error}") from error
    return context


def _load_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Python's TLS takes a client certificate from files only: they live for the moment of the call, mode 0600."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, "certificate"), Path(folder, "key")]
        for file, content in zip(files, (certificate, key), strict=True):
            file.touch(mode=0o600)
            file.write_bytes(content)
        context.load_cert_chain(files[0], files[1])
