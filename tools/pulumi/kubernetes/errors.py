"""What can go wrong between the engine and a cluster. Each message is what the user reads."""

import re
from typing import Any, Final

MANAGER_PREFIX: Final = "pulumi-kubernetes-"
"""How the names of field managers begin that this plugin, or the official one, makes up."""
IMMUTABLE: Final = ("immutable", "may not change", "cannot change", "updates to ", "update to ")
"""How API servers word it that a field can't be changed in place (there is no reason code for it)."""


class KubernetesError(Exception):
    """The base of all; raised as such for a program's demand that can't be met."""


class KubeconfigError(KubernetesError):
    """The kubeconfig can't be read, or asks for what isn't supported."""


class Unreachable(KubernetesError):
    """The API server does not answer."""


class UnknownKind(KubernetesError):
    """The API server has no such kind: its CustomResourceDefinition is missing, or is still on its way."""


class NotReady(KubernetesError):
    """The object exists, but won't become ready, or not in time. The next update tries again."""

    def __init__(self, live: dict[str, Any], reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.live = live
        self.reasons = reasons


class Refused(KubernetesError):
    """The API server said no. `status` is its HTTP status, `fields` the paths that it names as causes."""

    def __init__(self, status: int, reason: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.fields = fields

    @property
    def conflicts_with_us(self) -> bool:
        """Refused because the fields are another resource's of ours, and of nobody else's: those of its old self."""
        owners = re.findall(r'conflicts? with "([^"]+)"', str(self))
        return self.status == 409 and bool(owners) and all(owner.startswith(MANAGER_PREFIX) for owner in owners)

    @property
    def immutable(self) -> bool:
        """Refused because a field can't be changed in place: only a new object can have it."""
        return self.status == 422 and any(words in str(self) for words in IMMUTABLE)

    @property
    def passing(self) -> bool:
        """Refused for what passes by itself, or comes in the same update: worth another try."""
        text = str(self)
        return (
            self.status in (429, 503)
            or (self.status == 500 and "failed calling webhook" in text)
            or (self.status == 404 and "namespaces" in text)
            or (self.status == 403 and ("service account" in text or "serviceaccount" in text) and "not found" in text)
        )
