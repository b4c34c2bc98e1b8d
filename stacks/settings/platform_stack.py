"""Settings of a platform stack."""

from itertools import combinations
from typing import Annotated, Final, Literal

from pydantic import AfterValidator

from stacks.settings.fields import (
    LISTED,
    PREFIX,
    Domain,
    FilePath,
    HostName,
    Namespace,
    NodePort,
    Quantity,
    Registry,
    Section,
    matching,
    one_of,
    word,
)

JOBSET: Final = "bring (its controller comes with the platform) or present (it is there already)"


INGRESS_NAMES: Final = ("models", "vectors", "cloud")
"""Under which the gateways and the page are reached through an ingress."""


SERVICE: Final = "a Service as name.namespace:port"


def _with_port(service: str) -> str:
    if not 0 < int(service.rpartition(":")[2]) < 1 << 16:
        raise ValueError(SERVICE)
    return service


class ServiceSettings(Section):
    """A Service that the ingress is in front of."""

    name: Annotated[str, word(40)]
    """The first part of its name for clients."""
    service: Annotated[str, matching(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*:[0-9]+", SERVICE), AfterValidator(_with_port)]

    @property
    def upstream(self) -> str:
        """As a pod finds it."""
        name, _, port = self.service.partition(":")
        return f"{name}.svc:{port}"


class IngressSettings(Section):
    """One way in, by TLS."""

    domain: Domain
    """What all names end with."""
    port: NodePort = 30443
    services: Annotated[tuple[ServiceSettings, ...], LISTED] = ()

    def contradictions(self) -> list[str]:
        """What two settings say together."""
        taken = list(INGRESS_NAMES)
        wrong = []
        for number, one in enumerate(self.services):
            if one.name in taken:
                wrong.append(
                    f"{PREFIX}ingress.services.{number}.name: expected none of {', '.join(taken)}, got {one.name}"
                )
            taken.append(one.name)
        return wrong


class _Platform(Section):
    """What every platform stack is told."""

    namespace: Namespace = "ml"
    gateway_port: NodePort = 30080
    page_port: NodePort = 30081
    vectors_port: NodePort = 30082
    ingress: IngressSettings | None = None
    """None: gateways and page are reached by plain HTTP, at ports of their own."""

    def contradictions(self) -> list[str]:
        """What two settings say together."""
        ports = {"gatewayPort": self.gateway_port, "pagePort": self.page_port, "vectorsPort": self.vectors_port}
        if self.ingress:  # it may be taken out again, and they come back
            ports["ingress.port"] = self.ingress.port
        equal = [(one, other) for one, other in combinations(ports, 2) if ports[one] == ports[other]]
        return [
            *(self.ingress.contradictions() if self.ingress else ()),
            *(f"{PREFIX}{other}: expected another port than {one}, got {ports[other]}" for one, other in equal),
        ]


class OwnPlatform(_Platform):
    """Settings of the platform stack on the cluster of a base stack."""

    environment: Literal["lab", "home"] = "lab"


class ImageSettings(Section):
    """How images come to a cluster whose machines are not ours."""

    delivery: Annotated[Literal["registry", "preloaded"], one_of("registry, or preloaded", "registry", "preloaded")]
    registry: Registry | None = None
    """The first part of every image's name; a repository there has to be the user's to push to."""


class GivenPlatform(_Platform):
    """Settings of the platform stack on a cluster that is there already."""

    environment: Literal["cluster"]
    kubeconfig: FilePath
    context: str
    """Of the kubeconfig: which cluster is meant, whatever its current context is."""
    address: HostName
    """Where clients reach the cluster's node ports: a name or an address of one of its machines."""
    images: ImageSettings
    models_size: Quantity = "5Gi"
    vectors_size: Quantity = "10Gi"
    data_size: Quantity = "20Gi"
    jobset: Annotated[Literal["bring", "present"], one_of(JOBSET, "bring", "present")] = "bring"
    """Whether JobSet's controller is there already, and somebody else's."""

    def contradictions(self) -> list[str]:
        """What two settings say together."""
        wrong = super().contradictions()
        if (self.images.registry is None) == (self.images.delivery == "registry"):
            expectation = "a name such as registry.example.org/me" if self.images.registry is None else "none"
            wrong.append(
                f"{PREFIX}images.registry: expected {expectation} with delivery {self.images.delivery},"
                f" got {self.images.registry or 'none'}"
            )
        return wrong


PlatformSettings = OwnPlatform | GivenPlatform
