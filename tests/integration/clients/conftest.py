"""The two control servers: ours of Tailscale's documents, and a real headscale; each test has its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from homespun.clients import headscale as headscale_client
from homespun.clients import tailscale
from homespun.clients.headscale import Headscale as HeadscaleClient
from homespun.clients.tailscale import Tailscale
from stacks.mesh import control
from tests.integration.parts.headscale import Headscale
from tests.integration.parts.tailscale_api import API_KEY, CLIENT_ID, CLIENT_SECRET, TailscaleApi


@pytest.fixture
def api() -> Iterator[TailscaleApi]:
    running = TailscaleApi()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def by_key(api: TailscaleApi) -> Tailscale:
    """With a person's API access token."""
    return _hurried(tailscale.by_api_key(API_KEY, api.url))


@pytest.fixture
def by_oauth(api: TailscaleApi) -> Tailscale:
    """With an OAuth client."""
    return _hurried(tailscale.by_oauth_client(CLIENT_ID, CLIENT_SECRET, api.url))


@pytest.fixture(params=["api key", "oauth client"])
def tailnet(request: pytest.FixtureRequest, by_key: Tailscale, by_oauth: Tailscale) -> Tailscale:
    """Both, one after the other."""
    return by_key if request.param == "api key" else by_oauth


@pytest.fixture
def credential(api: TailscaleApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment, as for `make up`: an API access token alone."""
    monkeypatch.setenv("HOMESPUN_STATE", str(tmp_path))
    monkeypatch.setenv(control.BASE_URL, api.url)
    monkeypatch.setenv(control.API_KEY, API_KEY)
    for name in (control.CLIENT_ID, control.CLIENT_SECRET):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def headscale(tmp_path: Path) -> Iterator[Headscale]:
    running = Headscale(tmp_path / "headscale")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def client(headscale: Headscale) -> HeadscaleClient:
    """With an API key of `headscale apikeys create`, and its authority."""
    made = headscale_client.by_api_key(headscale.url, headscale.api_key(), str(headscale.authority))
    return replace(made, service=replace(made.service, back_off=0.01))


def _hurried(client: Tailscale) -> Tailscale:
    service = replace(client.service, back_off=0.01)
    return replace(client, service=service, tokens=client.tokens and replace(client.tokens, service=service))
