"""A tailnet by the headscale on a machine, as a Pulumi resource: its policy, and the authority that it trusts."""

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from homespun.clients.errors import ServiceError
from homespun.hosts.errors import HostError
from stacks import hosts, progress
from stacks.mesh import control, policy
from stacks.mesh.errors import MeshError, NoTailnet

WANTED: Final = ("url", "policy")


class HeadscaleProvider(ResourceProvider):
    """Has the policy in force. The server itself is the host's."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Another address is another tailnet; another policy is put in the place of ours."""
        changed = [name for name in WANTED if olds.get(name) != news.get(name)]
        replaces = ["url"] if "url" in changed else []
        replaces += ["connection"] if hosts.elsewhere(olds, news) else []
        return DiffResult(changes=bool(changed or replaces), replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Have it answer, and its policy be ours."""
        return CreateResult(props["url"], self._put(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: the policy in force. One that is off tells nothing."""
        try:
            with control.on_machine(hosts.connection(props["connection"])) as tailnet:
                return ReadResult(id_, {**props, "policy": tailnet.policy().text})
        except (HostError, ServiceError, NoTailnet):
            return ReadResult(id_, props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """The new policy."""
        return UpdateResult(self._put(news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: it goes with its machine."""

    def _put(self, props: dict[str, Any]) -> dict[str, Any]:
        reached = hosts.connection(props["connection"])
        with progress.stage("mesh", "policy"), control.on_machine(reached) as tailnet:
            before = tailnet.policy()
            if not (before.untouched or policy.ours(before.text)):
                raise MeshError(
                    f"{props['url']}: expected a policy of ours, or none, found another's; nothing was replaced."
                    " Take it away (`headscale policy set`) if nobody needs it"
                )
            if before.text != props["policy"]:
                tailnet.check_policy(props["policy"])
                tailnet.put_policy(props["policy"], before)
        return {**props, "authority": control.authority(reached)}


class Headscale(Resource, module="homespun", name="Headscale"):
    """A tailnet by the headscale on a machine."""

    authority: pulumi.Output[str]
    url: pulumi.Output[str]
    connection: pulumi.Output[dict[str, Any]]

    def __init__(
        self,
        url: str,
        connection: pulumi.Input[dict[str, Any]],
        networks: Iterable[IPv4Network],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`networks` are those that machines carry for pods and nodes."""
        inputs = {"url": url, "connection": connection, "policy": policy.document(networks), "authority": None}
        super().__init__(HeadscaleProvider(), "tailnet", inputs, opts)
