"""A machine whose key lets nobody in: it is told so, nothing of the key is left, and the next try joins it."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from homespun.clients.headscale import Headscale as Client
from homespun.clients.tailnet import AuthKey
from homespun.hosts import mesh
from stacks import hosts
from stacks.mesh import control, policy
from stacks.mesh import device as resource
from stacks.mesh.device import DeviceProvider
from stacks.mesh.errors import MeshError
from tests.integration.parts.headscale import Headscale
from tests.integration.parts.tailscaled import Tailscaled

PROVIDER = DeviceProvider()


@dataclass(frozen=True)
class Spoiling:
    """What makes each key worthless before anybody joins by it."""

    client: Client
    headscale: Headscale
    how: str
    made: list[AuthKey]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def create_key(self, *arguments: Any, **options: Any) -> AuthKey:
        key = self.client.create_key(*arguments, **options)
        self.made.append(key)
        if self.how == "wrong":
            return replace(key, secret=f"{key.secret[:-1]}{'a' if key.secret[-1] != 'a' else 'b'}")
        self.headscale.run("preauthkeys", "expire", "--id", key.id)
        return key


@pytest.fixture
def machine(tmp_path: Path, headscale: Headscale, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tailscaled]:
    made = Tailscaled(tmp_path / "desk", headscale.url)
    monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(hosts, "connection", lambda props: made)
    yield made
    made.stop()


@pytest.mark.parametrize("how", ["expired", "wrong"])
def test_a_key_that_lets_nobody_in_is_told_and_the_next_try_joins_by_another(
    machine: Tailscaled, headscale: Headscale, client: Client, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    asked = {"name": "desk", "url": headscale.url, "server": {}, "authority": headscale.authority.read_text(),
             "connection": {}, "ephemeral": False}  # fmt: skip
    spoiling = Spoiling(client, headscale, how, [])
    monkeypatch.setattr(control, "tailnet", lambda props: nullcontext(spoiling))
    with monkeypatch.context() as impatient:
        impatient.setattr(resource, "JOIN_SECONDS", 5)
        with pytest.raises(MeshError, match=r"last login error was: .*key") as refused:
            PROVIDER.create(asked)
    (key,) = spoiling.made
    assert key.secret not in str(refused.value)
    assert machine.read(mesh.KEY) == ""
    assert (client.keys(), client.devices()) == ((), ())
    monkeypatch.setattr(control, "tailnet", lambda props: nullcontext(client))
    made = PROVIDER.create(asked)
    (device,) = client.devices()
    assert (made.id, device.tags) == (device.id, (policy.TAG,))
