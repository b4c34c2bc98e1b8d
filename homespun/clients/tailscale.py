"""Tailscale's REST API v2 (https://tailscale.com/api), for the tailnet that the credential belongs to."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import quote

import requests

from homespun.clients import hujson
from homespun.clients.errors import Broken, Denied, InvalidPolicy, Missing, Refused, Stale, Unreachable
from homespun.clients.oauth import Tokens
from homespun.clients.rest import Method, Service, document, entries, member
from homespun.clients.tailnet import AuthKey, Device, Dns, Policy

URL: Final = "https://api.tailscale.com"
PATH: Final = "/api/v2"
TAILNET: Final = f"{PATH}/tailnet/-"
HUJSON: Final = "application/hujson"
DEFAULT: Final = "ts-default"
"""As a policy's ETag: the one that Tailscale made, untouched."""
DEFAULT_RULES: Final[tuple[Mapping[str, Any], ...]] = (
    {"grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]}]},
    {"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]},
)
"""What Tailscale's own policy said over the years, but for `ssh`, which it has had since 2022."""
DEFAULT_SSH: Final = tuple(
    [{"action": "check", "src": [own], "dst": ["autogroup:self"], "users": ["autogroup:nonroot", "root"]}]
    for own in ("autogroup:member", "autogroup:members")
)


def by_api_key(secret: str, url: str = URL, authority: str = "") -> "Tailscale":
    """With a person's API access token. `authority`: a file of certificates to trust in the place of the machine's."""
    made = "an access token (tskey-api-…, good for 90 days at most) of https://login.tailscale.com/admin/settings/keys"
    headers = {"Authorization": f"Bearer {secret.strip()}"}
    return Tailscale(Service("Tailscale", url, headers=headers, authority=authority, credential=made), tokens=None)


def by_oauth_client(id: str, secret: str, url: str = URL, authority: str = "") -> "Tailscale":
    """With an OAuth client, which belongs to the tailnet and does not expire: what it makes must carry tags of its."""
    made = (
        "an OAuth client (tskey-client-…) of https://login.tailscale.com/admin/settings/oauth"
        " with the scopes policy_file, devices:core, auth_keys and dns"
    )
    service = Service("Tailscale", url, authority=authority, credential=made)
    return Tailscale(service, Tokens(service, f"{PATH}/oauth/token", id.strip(), secret.strip()))


@dataclass(frozen=True)
class Tailscale:
    """The API as a `Tailnet`."""

    compare_and_set: ClassVar[bool] = True
    dns_by_api: ClassVar[bool] = True

    service: Service
    tokens: Tokens | None
    """None: the headers of `service` hold the credential."""

    def policy(self) -> Policy:
        """The policy in force, as it was written, comments and all."""
        answer = self._call("GET", f"{TAILNET}/acl", repeat=True, headers={"Accept": HUJSON})
        etag = _etag(answer)
        if not etag:
            raise Broken("Tailscale: expected an ETag with the policy, got none: it can't be replaced safely")
        text = _text(answer)
        return Policy(text, etag, untouched=etag == DEFAULT or looks_untouched(text))

    def check_policy(self, text: str) -> tuple[str, ...]:
        """Tailscale's validation; it is no failure of HTTP's that a policy fails it."""
        try:
            answer = self._call(
                "POST", f"{TAILNET}/acl/validate", repeat=True, data=text, headers={"Content-Type": HUJSON}
            )
        except Refused as error:
            raise _invalid(error.details, str(error)) from error
        found = document(answer) if answer.content.strip() else {}
        told = _told(found)
        if found.get("message") and not (told and all(one.get("warnings") and not one.get("errors") for one in told)):
            raise _invalid(found, "nothing")
        return tuple(f"{one.get('user')}: {'; '.join(one['warnings'])}" for one in told)

    def put_policy(self, text: str, before: Policy) -> Policy:
        """Compared and set by the ETag; of one that looks untouched, Tailscale decides whether it is."""
        etag = DEFAULT if before.untouched else before.etag
        if not etag:
            raise Stale("Tailscale: expected the policy to replace as Tailscale gave it, got one without an ETag")
        headers = {"Accept": HUJSON, "Content-Type": HUJSON, "If-Match": f'"{etag}"'}
        try:
            answer = self._call("POST", f"{TAILNET}/acl", repeat=False, data=text, headers=headers)
        except Stale as error:
            seen = "it is not the one that Tailscale made" if before.untouched else "it was changed since it was read"
            raise Stale(f"{error}: {seen}; nothing was replaced") from error
        except Refused as error:
            raise _invalid(error.details, str(error)) from error
        except (Unreachable, Broken):
            now = self.policy()
            if now.text.strip() != text.strip():
                raise
            return Policy(now.text, now.etag, untouched=False)
        if etag := _etag(answer):
            return Policy(_text(answer), etag, untouched=False)
        return self.policy()

    def devices(self) -> tuple[Device, ...]:
        """All members. Routes are told only of devices whose every field is asked for."""
        answer = self._call("GET", f"{TAILNET}/devices", repeat=True, params={"fields": "all"})
        return tuple(device for device in entries(answer, "devices", _device) if device is not None)

    def delete_device(self, id: str) -> None:
        """Also needed for those that are tagged: their keys do not expire."""
        self._delete(f"{PATH}/device/{quote(id, safe='')}")

    def create_key(
        self,
        tags: tuple[str, ...],
        *,
        ephemeral: bool,
        reusable: bool = False,
        expiry_seconds: int,
        description: str = "",
    ) -> AuthKey:
        """A key whose devices need no approval. Of a description: 50 letters, digits, hyphens and spaces at most."""
        create = {"reusable": reusable, "ephemeral": ephemeral, "preauthorized": True, "tags": list(tags)}
        body = {
            "capabilities": {"devices": {"create": create}},
            "expirySeconds": expiry_seconds,
            "description": description,
        }
        answer = self._call("POST", f"{TAILNET}/keys", repeat=False, body=body)
        id, secret = member(answer, "id", str), member(answer, "key", str)
        return AuthKey(id, tags, reusable, ephemeral, description, secret)

    def keys(self) -> tuple[AuthKey, ...]:
        """All that let a device in, whoever made them: of the other kinds there are (for the API) none is told."""
        answer = self._call("GET", f"{TAILNET}/keys", repeat=True, params={"all": "true"})
        return tuple(key for key in entries(answer, "keys", _key) if key is not None)

    def delete_key(self, id: str) -> None:
        """Revoke it."""
        self._delete(f"{TAILNET}/keys/{quote(id, safe='')}")

    def dns(self) -> Dns:
        """Asked for in four requests."""
        split = document(self._dns("GET", "split-dns"))
        return Dns(
            magic=member(self._dns("GET", "preferences"), "magicDNS", bool),
            nameservers=entries(self._dns("GET", "nameservers"), "dns", str),
            search_paths=entries(self._dns("GET", "searchpaths"), "searchPaths", str),
            split={domain: tuple(servers) for domain, servers in split.items() if servers},
        )

    def put_dns(self, wanted: Dns, before: Dns) -> None:
        """Magic names come last: Tailscale refuses them without a name server, and drops them with the last one."""
        nameservers = wanted.nameservers != before.nameservers
        if nameservers:
            self._dns("POST", "nameservers", {"dns": wanted.nameservers})
        if wanted.search_paths != before.search_paths:
            self._dns("POST", "searchpaths", {"searchPaths": wanted.search_paths})
        changed = {
            domain: wanted.split.get(domain)
            for domain in sorted({*wanted.split, *before.split})
            if wanted.split.get(domain) != before.split.get(domain)
        }
        if changed:
            self._dns("PATCH", "split-dns", changed)
        if nameservers or wanted.magic != before.magic:
            self._dns("POST", "preferences", {"magicDNS": wanted.magic})

    def _dns(self, method: Method, what: str, body: Any = None) -> requests.Response:
        return self._call(method, f"{TAILNET}/dns/{what}", repeat=True, body=body)

    def _delete(self, path: str) -> None:
        with suppress(Missing):
            self._call("DELETE", path, repeat=True)

    def _call(
        self, method: Method, path: str, *, repeat: bool, headers: Mapping[str, str] | None = None, **request: Any
    ) -> requests.Response:
        if self.tokens is None:
            return self.service.call(method, path, repeat=repeat, headers=headers, **request)
        token = self.tokens.current()
        try:
            return self.service.call(method, path, repeat=repeat, headers=_with(token, headers), **request)
        except Denied:
            renewed = self.tokens.renewed(token)
            return self.service.call(method, path, repeat=repeat, headers=_with(renewed, headers), **request)


def looks_untouched(text: str) -> bool:
    """Whether a policy says what Tailscale's own says, whatever its comments."""
    try:
        found = json.loads(hujson.standard(text))
    except ValueError:
        return False
    if not isinstance(found, dict):
        return False
    ssh = found.pop("ssh", DEFAULT_SSH[0])
    return found in DEFAULT_RULES and ssh in DEFAULT_SSH


def _with(token: str, headers: Mapping[str, str] | None) -> dict[str, str]:
    return {**(headers or {}), "Authorization": f"Bearer {token}"}


def _etag(answer: requests.Response) -> str:
    return answer.headers.get("ETag", "").removeprefix("W/").strip('"')


def _text(answer: requests.Response) -> str:
    try:
        return answer.content.decode()  # `answer.text` would guess the encoding
    except UnicodeDecodeError as error:
        raise Broken(f"Tailscale: expected a policy in UTF-8: {error}") from error


def _told(details: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of whom something is told: [{"user": "a@example.com", "errors": ["address …: want: Drop, got: Accept"]}, …]."""
    return [one for one in details.get("data") or () if isinstance(one, Mapping)]


def _invalid(details: Mapping[str, Any], otherwise: str) -> InvalidPolicy:
    errors = "; ".join(f"{one.get('user')}: {'; '.join(one.get('errors') or ())}" for one in _told(details))
    words = ": ".join(filter(None, (str(details.get("message") or ""), errors)))
    return InvalidPolicy(f"Tailscale: expected a policy that it accepts, it says: {words or otherwise}")


def _device(found: Mapping[str, Any]) -> Device | None:
    """None for one of another tailnet, which is shared with this one."""
    if found.get("isExternal"):
        return None
    return Device(
        id=str(found["nodeId"]),
        name=str(found["name"]).partition(".")[0],
        hostname=str(found["hostname"]),
        addresses=tuple(found["addresses"]),
        tags=tuple(found.get("tags") or ()),
        # Newer than the rest; before, one that was never away had no `lastSeen`.
        online=bool(found.get("connectedToControl", not found.get("lastSeen"))),
        ephemeral=bool(found.get("isEphemeral")),
        advertised_routes=tuple(found.get("advertisedRoutes") or ()),
        enabled_routes=tuple(found.get("enabledRoutes") or ()),
    )


def _key(found: Mapping[str, Any]) -> AuthKey | None:
    """None for one of another kind, and for one that was revoked or has expired."""
    if found.get("keyType", "auth") != "auth" or found.get("invalid"):
        return None
    create = found.get("capabilities", {}).get("devices", {}).get("create", {})
    return AuthKey(
        id=str(found["id"]),
        tags=tuple(create.get("tags") or ()),
        reusable=bool(create.get("reusable")),
        ephemeral=bool(create.get("ephemeral")),
        description=str(found.get("description") or ""),
    )
