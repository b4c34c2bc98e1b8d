"""A machine as a device of a tailnet, as a Pulumi resource: it joins by a key that is made for this once."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from homespun.clients.errors import ServiceError
from homespun.hosts import mesh
from homespun.hosts.errors import HostError
from homespun.hosts.ssh import Connection
from stacks import hosts, progress
from stacks.mesh import control
from stacks.mesh.errors import MeshError, NoTailnet
from stacks.mesh.headscale import Headscale
from stacks.mesh.policy import TAG
from stacks.mesh.tailscale import Tailscale

KEY_SECONDS: Final = 600
JOIN_SECONDS: Final = 60
PAUSE: Final = 0.2
LAST_LINES: Final = f"journalctl --unit {mesh.TAILSCALED_UNIT} --no-pager --lines 12 --output cat"


class DeviceProvider(ResourceProvider):
    """Has a machine be in the tailnet."""

    serialize_as_secret_always = False

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """One that would join anew, and is off, stays in the tailnet that it was in until an `up` finds it on."""
        if olds and isinstance(news.get("connection"), dict) and self.diff("", olds, news).changes:
            try:
                hosts.connection(news["connection"]).run("true")
            except HostError as error:
                if hosts.is_off(error, olds, news):
                    return CheckResult(dict(olds), [])
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Another tailnet is joined anew."""
        changed = [name for name in ("name", "url") if olds.get(name) != news.get(name)]
        machines = ("connection",) if news.get("control") == control.TAILSCALE else ("connection", "server")
        changed += [name for name in machines if hosts.elsewhere(olds, news, name)]
        return DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Join; a machine that is in already, since an earlier try was cut off, stays in."""
        reached = hosts.connection(props["connection"])
        with progress.stage("mesh", f"join {props['name']}"), control.tailnet(props) as tailnet:
            if authority := props.get("authority"):
                reached.write(mesh.AUTHORITY, authority)
            found = _self(_status(reached))
            if found and any(device.id == found["id"] for device in tailnet.devices()):
                reached.write(mesh.KEY, "")
            else:
                # Names of machines are within what Tailscale allows in a description.
                about = f"homespun {props['name']}"
                key = tailnet.create_key(
                    (TAG,), ephemeral=props["ephemeral"], expiry_seconds=KEY_SECONDS, description=about
                )
                try:
                    found = _join(reached, key.secret, props["url"])
                finally:
                    tailnet.delete_key(key.id)
        return CreateResult(found["id"], {**props, **found})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """For refresh: gone if the tailnet does not know it. A server that is off tells nothing."""
        try:
            with control.tailnet(props) as tailnet:
                there = any(device.id == id_ for device in tailnet.devices())
        except NoTailnet:
            there = False
        except (HostError, ServiceError):
            there = True
        return ReadResult(id_, props) if there else ReadResult("", {})

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Not reached, for `diff` replaces; the engine wants the outputs whole all the same."""
        return UpdateResult({**news, "id": olds["id"], "addresses": olds["addresses"]})

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Out of the tailnet, and its identity off the machine. Not asked where the tailnet itself goes with it."""
        try:
            hosts.connection(props["connection"]).run(
                f"systemctl stop {mesh.TAILSCALED_UNIT}; rm -rf {mesh.STATE}/tailscaled.state {mesh.STATE}/derpmap*"
            )
        except HostError as error:
            pulumi.log.warn(f"{error}; it is taken out of the tailnet all the same")
        # A headscale that is gone, as where the settings now name Tailscale's service, knows no device.
        with suppress(NoTailnet), control.tailnet(props) as tailnet:
            tailnet.delete_device(id_)


class Device(Resource, module="homespun", name="Device"):
    """A machine in a tailnet."""

    addresses: pulumi.Output[list[str]]

    def __init__(
        self,
        name: str,
        tailnet: Headscale | Tailscale,
        connection: pulumi.Input[dict[str, Any]],
        ephemeral: bool,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`ephemeral`: forgotten by the control server once it is silent for a while, as a rented one may become."""
        server = (
            {"server": tailnet.connection, "authority": tailnet.authority}
            if isinstance(tailnet, Headscale)
            else {"control": control.TAILSCALE}
        )
        inputs = {
            "name": name,
            "url": tailnet.url,
            **server,
            "connection": connection,
            "ephemeral": ephemeral,
            "addresses": None,
        }
        super().__init__(DeviceProvider(), name, inputs, opts)


def _join(connection: Connection, secret: str, url: str) -> dict[str, Any]:
    """Hand the key over, and wait until tailscaled is in; then nothing of the key is left on the machine."""
    connection.write(mesh.KEY, secret)
    try:
        connection.run(f"systemctl restart {mesh.TAILSCALED_UNIT}")
        end = time.monotonic() + JOIN_SECONDS
        while (found := _self(told := _status(connection))) is None:
            if time.monotonic() > end:
                said = "; ".join(told.get("Health") or ()) or connection.run(LAST_LINES)
                raise MeshError(
                    f"{connection.address}: expected it in the tailnet within {JOIN_SECONDS} s, found it outside; is"
                    f" {url} (homespun:mesh) reached from there? tailscaled says: {said.strip()}"
                )
            time.sleep(PAUSE)
    finally:
        connection.write(mesh.KEY, "")
    return found


def _status(connection: Connection) -> dict[str, Any]:
    """What tailscaled says (tailscale.com/ipn/ipnstate, Status); nothing where it does not run."""
    found: dict[str, Any] = json.loads(connection.run(f"{mesh.CLI} status --json 2>/dev/null || true") or "{}")
    return found


def _self(status: Mapping[str, Any]) -> dict[str, Any] | None:
    """The machine in its tailnet; None if that is in none."""
    if status.get("BackendState") != "Running":
        return None
    return {"id": str(status["Self"]["ID"]), "addresses": list(status["Self"]["TailscaleIPs"])}
