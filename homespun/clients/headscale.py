"""headscale's REST API v1 (0.29: hscontrol/grpcv1.go behind grpc-gateway; proto/headscale/v1 has paths and fields).

What is peculiar to it: a plain Go error is a 500, also where the request is at fault; numbers of 64 bits are strings;
fields without a value are there, as null, "" or [].
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, NoReturn
from urllib.parse import quote

from homespun.clients.errors import Broken, InvalidPolicy, Missing, Refused, ServiceError, Stale, Unreachable
from homespun.clients.rest import PERHAPS_DONE, Service, entries, member
from homespun.clients.tailnet import AuthKey, Device, Dns, Policy

PATH: Final = "/api/v1"
NO_POLICY: Final = "acl policy not found"
"""types.ErrPolicyNotFound, in the words of a 500."""
NOT_BY_API: Final = "update is disabled for modes other than 'database'"
"""types.ErrPolicyUpdateIsDisabled, in the words of a 500."""
INVALID: Final = ("setting policy: ", "verifying SSH rules: ")
"""How the words of a 500 begin where it is the policy's fault."""


def by_api_key(url: str, secret: str, authority: str = "") -> "Headscale":
    """With an API key. `authority` is a file of certificates to trust in the place of the machine's."""
    return Headscale(
        Service(
            "headscale",
            url.rstrip("/"),
            headers={"Authorization": f"Bearer {secret.strip()}"},
            authority=authority,
            credential="an API key of `headscale apikeys create`, good for 90 days if nothing else was asked for",
            passing=PERHAPS_DONE - {500},
        )
    )


@dataclass(frozen=True)
class Headscale:
    """The API as a `Tailnet`."""

    compare_and_set: ClassVar[bool] = False
    dns_by_api: ClassVar[bool] = False

    service: Service

    def policy(self) -> Policy:
        """The policy in force; an empty one, untouched, where headscale has none and lets everybody reach everybody."""
        try:
            answer = self.service.call("GET", f"{PATH}/policy", repeat=True)
        except Broken as error:
            if NO_POLICY in _words(error):
                return Policy("", etag="", untouched=True)
            raise
        text = member(answer, "policy", str)
        return Policy(text, etag="", untouched=not text)

    def check_policy(self, text: str) -> tuple[str, ...]:
        """By the users and nodes that there are: a test of a tag that no device has yet fails. It warns of nothing."""
        try:
            self.service.call("POST", f"{PATH}/policy/check", repeat=True, body={"policy": text})
        except Refused as error:
            raise _invalid(error) from error
        return ()

    def put_policy(self, text: str, before: Policy) -> Policy:
        """Not atomic: headscale has no ETag, so the policy is read and compared, and then replaced."""
        if (now := self.policy()).text != before.text:
            raise Stale(
                f"headscale: PUT {self.service.url}{PATH}/policy: expected the policy that was read"
                f" ({len(before.text)} characters), found another ({len(now.text)}); nothing was replaced"
            )
        try:
            self.service.call("PUT", f"{PATH}/policy", repeat=False, body={"policy": text})
        except (Unreachable, Broken) as error:
            if NOT_BY_API in _words(error):
                raise Refused(f"{error}: in headscale's configuration, set policy.mode: database") from error
            if _words(error).startswith(INVALID):
                raise _invalid(error) from error
            if self.policy().text != text:
                raise
        return Policy(text, etag="", untouched=not text)

    def devices(self) -> tuple[Device, ...]:
        """All nodes, of all users."""
        return entries(self.service.call("GET", f"{PATH}/node", repeat=True), "nodes", _device)

    def delete_device(self, id: str) -> None:
        """Delete the node."""
        with suppress(Missing):
            self.service.call("DELETE", f"{PATH}/node/{quote(id, safe='')}", repeat=True)

    def create_key(
        self,
        tags: tuple[str, ...],
        *,
        ephemeral: bool,
        reusable: bool = False,
        expiry_seconds: int,
        description: str = "",
    ) -> AuthKey:
        """A pre-authentication key of nobody's: what is tagged needs no user, and what is not is no business of ours.

        It expires by this machine's clock, and has no description.
        """
        if not tags:
            raise Refused("headscale: expected tags for a key, got none: only a key of a user can do without")
        expiration = datetime.now(UTC) + timedelta(seconds=expiry_seconds)
        body = {
            "reusable": reusable,
            "ephemeral": ephemeral,
            "expiration": expiration.isoformat(),
            "aclTags": list(tags),
        }
        answer = self.service.call("POST", f"{PATH}/preauthkey", repeat=False, body=body)
        made = member(answer, "preAuthKey", dict)
        id, secret = made.get("id"), made.get("key")
        if not id or not secret:
            raise Broken(f"headscale: POST {PATH}/preauthkey: expected id and key, found {', '.join(made)}")
        return AuthKey(str(id), tags, reusable, ephemeral, secret=str(secret))

    def keys(self) -> tuple[AuthKey, ...]:
        """All that are neither spent nor expired."""
        now = datetime.now(UTC)
        answer = self.service.call("GET", f"{PATH}/preauthkey", repeat=True)
        return tuple(key for key in entries(answer, "preAuthKeys", lambda found: _key(found, now)) if key is not None)

    def delete_key(self, id: str) -> None:
        """Expire it; delete it too, unless a device is ephemeral by it: headscale reads that from the key."""
        self.service.call("POST", f"{PATH}/preauthkey/expire", repeat=True, body={"id": id})
        came_by = entries(self.service.call("GET", f"{PATH}/node", repeat=True), "nodes", _ephemeral_by)
        if id not in came_by:
            self.service.call("DELETE", f"{PATH}/preauthkey", repeat=True, params={"id": id})

    def dns(self) -> Dns:
        """Raises Refused."""
        self._no_dns()

    def put_dns(self, wanted: Dns, before: Dns) -> None:
        """Raises Refused."""
        self._no_dns()

    def _no_dns(self) -> NoReturn:
        raise Refused("headscale: its names are not to be had by its API: they are `dns` in its configuration file")


def _words(error: ServiceError) -> str:
    return str(error.details.get("message") or "")


def _invalid(error: ServiceError) -> InvalidPolicy:
    return InvalidPolicy(f"headscale: expected a policy that it accepts, it says: {_words(error) or error}")


def _ephemeral_by(found: Mapping[str, Any]) -> str:
    """The key by which a device is ephemeral, '' where it is not."""
    key = found["preAuthKey"] or {}
    return str(key["id"]) if key.get("ephemeral") else ""


def _device(found: Mapping[str, Any]) -> Device:
    return Device(
        id=str(found["id"]),
        name=str(found["givenName"]),
        hostname=str(found["name"]),
        addresses=tuple(found["ipAddresses"]),
        tags=tuple(found["tags"]),
        online=bool(found["online"]),
        ephemeral=bool(_ephemeral_by(found)),
        advertised_routes=tuple(found["availableRoutes"]),
        enabled_routes=tuple(found["approvedRoutes"]),
    )


def _key(found: Mapping[str, Any], now: datetime) -> AuthKey | None:
    """None for one that lets nobody in any more."""
    expires = found["expiration"]
    if (found["used"] and not found["reusable"]) or (expires and datetime.fromisoformat(expires) < now):
        return None
    return AuthKey(str(found["id"]), tuple(found["aclTags"]), bool(found["reusable"]), bool(found["ephemeral"]))
