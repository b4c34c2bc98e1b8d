"""What both control servers say becomes the same words, and both clients are what is asked for."""

from homespun.clients import headscale, tailscale
from homespun.clients.tailnet import AuthKey, Tailnet

SECRET = "a key that nothing may show"


def test_both_clients_can_stand_for_a_tailnet() -> None:
    both: list[Tailnet] = [
        headscale.by_api_key("https://headscale.test", SECRET),
        tailscale.by_api_key(SECRET),
        tailscale.by_oauth_client("me", SECRET),
    ]
    assert [(one.compare_and_set, one.dns_by_api) for one in both] == [(False, False), (True, True), (True, True)]


def test_no_secret_is_in_a_repr() -> None:
    shown = repr(
        [
            headscale.by_api_key("https://headscale.test", SECRET),
            tailscale.by_api_key(SECRET),
            tailscale.by_oauth_client("me", SECRET),
            AuthKey("1", ("tag:node",), reusable=False, ephemeral=False, secret=SECRET),
        ]
    )
    assert "headscale.test" in shown
    assert SECRET not in shown
