"""A tailnet at Tailscale's own service, as a Pulumi resource: our part of a policy that is somebody's."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any, Final

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from homespun.clients.errors import Denied, InvalidPolicy, ServiceError, Stale
from homespun.clients.tailnet import Policy, Tailnet
from stacks import progress
from stacks.mesh import control, marked, names, policy
from stacks.mesh.errors import MeshError

REPLACING: Final = ("url", "cluster")
NONE: Final = "nothing of ours"
"""Stands for our part where it was taken away."""


class TailscaleProvider(ResourceProvider):
    """Has our part in the policy. All else that is in it is not ours to see, let alone to change."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Before anything else, in previews too: whether there is a credential."""
        try:
            control.tailscale()
        except Denied as error:
            return CheckResult(news, [CheckFailure("control", str(error))])
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Another server, and another cluster's name in the marks, is another part; else ours is put in its place."""
        replaces = [name for name in REPLACING if olds.get(name) != news.get(name)]
        changes = bool(replaces) or olds.get("policy") != news.get("policy")
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Add our part. Raises MeshError where that takes a leave that was not given, and shows what it is for."""
        self._put(props)
        return CreateResult(props["url"], props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: our part, as it stands there if not as it ought to. Where Tailscale doesn't say, as recorded."""
        try:
            found = control.tailscale().policy().text
            cluster, networks, named = props["cluster"], props["networks"], props.get("named", False)
            as_it_ought_to_be = policy.added(found, cluster, networks, named) == found
            there = policy.part(networks, named) if as_it_ought_to_be else marked.part(found, cluster) or NONE
        except ServiceError:
            return ReadResult(id_, props)
        except MeshError as error:
            there = str(error)
        return ReadResult(id_, {**props, "policy": there})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Put our part in the place of what ours was."""
        self._put(news)
        return UpdateResult(news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Take our part out: what is left is what there would be without it."""
        with progress.stage("mesh", "policy"):
            if not _take_out(control.tailscale(), props["cluster"]):
                pulumi.log.warn(
                    f"the tailnet's policy: expected our part in it, {props['cluster']}'s, found none. Is this the"
                    " credential of the tailnet that it was added to?"
                )

    def _put(self, props: dict[str, Any]) -> None:
        with progress.stage("mesh", "policy"):
            server = control.tailscale()
            before, text = planned(
                server, props["cluster"], props["networks"], named=props["named"], adopt=props["adopt"]
            )
            if text != before.text:
                _replace(server, before, text, props["adopt"])


class Tailscale(Resource, module="homespun", name="Tailscale"):
    """A tailnet at Tailscale's own service."""

    url: pulumi.Output[str]

    def __init__(self, url: str, cluster: str, networks: Iterable[IPv4Network], *, named: bool, adopt: bool) -> None:
        """`networks` are those that machines carry for pods and nodes; `named`: people's own devices find them by
        names; `adopt`: a policy that is in use may be added to."""
        carried = sorted(map(str, networks))
        inputs = {
            "url": url,
            "cluster": cluster,
            "networks": carried,
            "named": named,
            "adopt": adopt,
            "policy": policy.part(carried, named),
        }
        super().__init__(TailscaleProvider(), "tailnet", inputs)


def planned(server: Tailnet, cluster: str, networks: Iterable[str], *, named: bool, adopt: bool) -> tuple[Policy, str]:
    """The policy in force, and as it ought to be.

    Raises MeshError where it is somebody's, who has not said that it may be added to; ServiceError.
    """
    before = server.policy()
    text = policy.added(before.text, cluster, networks, named)
    if text == before.text or adopt or before.untouched or marked.part(before.text, cluster):
        return before, text
    raise _refusal(before.text, text)


def leave(cluster: str, machines: Collection[str]) -> list[str]:
    """Delete the cluster's devices, known to Pulumi or not, and what of names and policy is its; what is gone by it.

    Raises MeshError, ServiceError.
    """
    server = control.tailscale()
    if marked.owners(server.policy().text) - {cluster}:
        return []  # what is tagged is another cluster's
    gone = [f"names under {domain}" for domain in names.leave(server)]
    for device in server.devices():
        if policy.TAG in device.tags and device.hostname in machines:
            server.delete_device(device.id)
            gone.append(f"device {device.name}")
    return [*gone, *(["part of the policy"] if _take_out(server, cluster) else [])]


def _take_out(server: Tailnet, cluster: str) -> bool:
    """Whether there was something to take out."""
    before = server.policy()
    text = marked.removed(before.text, cluster)
    if text == before.text:
        return False
    try:
        _replace(server, before, text, adopt=False)
    except InvalidPolicy as error:
        raise MeshError(
            f"{error}. That is what would be left without our part: what else names {policy.TAG} has to go first"
        ) from error
    return True


def _replace(server: Tailnet, before: Policy, text: str, adopt: bool) -> None:
    """Have Tailscale examine it, with the `tests` that are in it, and put it in the place of the one that was read."""
    for warning in server.check_policy(text):
        pulumi.log.warn(f"the tailnet's policy: {warning}")
    try:
        server.put_policy(text, replace(before, untouched=False) if adopt else before)
    except Stale as error:
        if before.untouched and not adopt:  # it only says what an untouched one says
            raise _refusal(before.text, text) from error
        raise MeshError(f"{error}. Run it again") from error


def _refusal(before: str, text: str) -> MeshError:
    return MeshError(
        "the tailnet's policy: expected Tailscale's own, untouched, found one that is somebody's; nothing was changed."
        " homespun:mesh: {control: tailscale, adopt: true} allows to add to it what follows, and to change nothing"
        f" else\n{policy.difference(before, text)}"
    )
