"""A stack's settings: what stands under `config:` in stacks/Pulumi.<stack>.yaml, typed; all that is wrong told at once.

stacks/Pulumi.lab-base.yaml: homespun:lab.range: expected an IPv4 network such as 10.41.0.0/24, got 10.41.0.0/33
"""

import json
import re
from collections.abc import Mapping
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

FOLDER: Final = Path(__file__).parent
PREFIX: Final = "homespun:"
BASE: Final = "-base"
"""Ends the name of an environment's first stack: machines, hosts, cluster. The second has the environment's name."""
NODE_PORTS: Final = range(30000, 32768)
"""Kubernetes' own, unless an API server was told otherwise."""


class SettingsError(Exception):
    """Settings are not as they ought to be; the message has a line for each, with place, expectation and finding."""


def _network(value: Any) -> IPv4Network:
    try:
        return IPv4Network(str(value))
    except ValueError:
        raise ValueError("an IPv4 network such as 10.41.0.0/24") from None


def _size(longest: int) -> AfterValidator:
    def check(network: IPv4Network) -> IPv4Network:
        if network.prefixlen > longest or not network.is_private:
            raise ValueError(f"a private network of /{longest} or larger")
        return network

    return AfterValidator(check)


def _word(value: Any, most: int) -> str:
    text = str(value)
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", text) or len(text) > most:
        raise ValueError(f"a lower-case word of at most {most} letters, digits and dashes")
    return text


NOT_YET: Final = "home does not work yet: machines that are reached over SSH come later"


def _only_lab(value: Any) -> Any:
    if value == "home":
        raise ValueError(f"lab ({NOT_YET})")
    if value != "lab":
        raise ValueError("lab")
    return value


def _namespace(value: Any) -> str:
    text = _word(value, 40)
    if text == "default" or text.startswith(("kube-", "homespun")):
        raise ValueError("a namespace of its own, none of Kubernetes' or the platform's")
    return text


def _host(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", str(value)):
        raise ValueError("a name or an IPv4 address, without scheme and port")
    return str(value)


def _node_port(value: Any) -> int:
    # As the engine hands it over, a number is a string.
    if not (str(value).isdecimal() and int(value) in NODE_PORTS):
        raise ValueError(f"a node port, {NODE_PORTS[0]} to {NODE_PORTS[-1]}")
    return int(value)


def _quantity(value: Any) -> str:
    if not re.fullmatch(r"[1-9][0-9]*(Mi|Gi|Ti)", str(value)):
        raise ValueError("a size such as 5Gi")
    return str(value)


def _jobset(value: Any) -> Any:
    if value not in ("bring", "present"):
        raise ValueError("bring (its controller comes with the platform) or present (it is there already)")
    return value


def _delivery(value: Any) -> Any:
    if value not in ("registry", "preloaded"):
        raise ValueError("registry, or preloaded")
    return value


def _registry(value: Any) -> str:
    if not re.fullmatch(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._/-]+)?", str(value)) or str(value).endswith("/"):
        raise ValueError("a name such as registry.example.org/me")
    return str(value)


Network = Annotated[IPv4Network, BeforeValidator(_network)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class LabSettings(_Section):
    """A lab on this box. All of it may be changed so that two labs run side by side."""

    # Names of interfaces are cut at 15 bytes, and a machine's holds the lab's.
    name: Annotated[str, BeforeValidator(lambda value: _word(value, 8))] = "lab"
    bridge: Annotated[str, BeforeValidator(lambda value: _word(value, 15))] = "hs-lab"
    range: Annotated[Network, _size(28)] = IPv4Network("10.41.0.0/24")


class ClusterSettings(_Section):
    """Ranges of the cluster's own, which no machine's network may touch."""

    pod_range: Annotated[Network, _size(23)] = IPv4Network("10.42.0.0/16")
    service_range: Annotated[Network, _size(24)] = IPv4Network("10.43.0.0/16")


class BaseSettings(_Section):
    """Settings of a base stack: machines, hosts, cluster."""

    environment: Annotated[Literal["lab"], BeforeValidator(_only_lab)] = "lab"
    lab: LabSettings = Field(default_factory=LabSettings)
    cluster: ClusterSettings = Field(default_factory=ClusterSettings)

    def contradictions(self) -> list[str]:
        """kube-proxy drops what goes to an address of the service range that is no service; the others are as bad."""
        ranges = {
            "homespun:lab.range": self.lab.range,
            "homespun:cluster.podRange": self.cluster.pod_range,
            "homespun:cluster.serviceRange": self.cluster.service_range,
        }
        return [
            f"{one}: expected not to overlap with {other} ({ranges[other]}), got {ranges[one]}"
            for one, other in combinations(ranges, 2)
            if ranges[one].overlaps(ranges[other])
        ]


class _Platform(_Section):
    """What every platform stack is told."""

    namespace: Annotated[str, BeforeValidator(_namespace)] = "ml"
    gateway_port: Annotated[int, BeforeValidator(_node_port)] = 30080
    page_port: Annotated[int, BeforeValidator(_node_port)] = 30081
    vectors_port: Annotated[int, BeforeValidator(_node_port)] = 30082

    def contradictions(self) -> list[str]:
        """What two settings say together."""
        ports = {"gatewayPort": self.gateway_port, "pagePort": self.page_port, "vectorsPort": self.vectors_port}
        return [
            f"{PREFIX}{other}: expected another port than {one}, got {ports[other]}"
            for one, other in combinations(ports, 2)
            if ports[one] == ports[other]
        ]


class LabPlatform(_Platform):
    """Settings of the platform stack on the cluster of a lab's base stack."""

    environment: Literal["lab"] = "lab"


class ImageSettings(_Section):
    """How images come to a cluster whose machines are not ours."""

    delivery: Annotated[Literal["registry", "preloaded"], BeforeValidator(_delivery)]
    registry: Annotated[str, BeforeValidator(_registry)] | None = None
    """The first part of every image's name; a repository there has to be the user's to push to."""


class GivenPlatform(_Platform):
    """Settings of the platform stack on a cluster that is there already."""

    environment: Literal["cluster"]
    kubeconfig: Annotated[Path, BeforeValidator(lambda value: Path(str(value)).expanduser().absolute())]
    context: str
    """Of the kubeconfig: which cluster is meant, whatever its current context is."""
    address: Annotated[str, BeforeValidator(_host)]
    """Where clients reach the cluster's node ports: a name or an address of one of its machines."""
    images: ImageSettings
    models_size: Annotated[str, BeforeValidator(_quantity)] = "5Gi"
    vectors_size: Annotated[str, BeforeValidator(_quantity)] = "10Gi"
    data_size: Annotated[str, BeforeValidator(_quantity)] = "20Gi"
    jobset: Annotated[Literal["bring", "present"], BeforeValidator(_jobset)] = "bring"
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


PlatformSettings = LabPlatform | GivenPlatform


Settings = TypeVar("Settings", BaseSettings, LabPlatform, GivenPlatform)


def base(environment: str, folder: Path = FOLDER) -> BaseSettings:
    """The settings of an environment's base stack. Raises SettingsError with all that is wrong in the file."""
    config, place = _read(f"{environment}{BASE}", folder)
    return parse(config, place, BaseSettings)


def platform(environment: str, folder: Path = FOLDER) -> PlatformSettings:
    """The settings of an environment's platform stack. Raises SettingsError with all that is wrong in the file."""
    return parse_platform(*_read(environment, folder))


def from_pulumi(config: Mapping[str, str], stack: str) -> BaseSettings | PlatformSettings:
    """The settings as the engine hands them to a program: every value a string, objects as JSON."""
    decoded = {key: _decoded(value) for key, value in config.items()}
    place = f"stacks/Pulumi.{stack}.yaml"
    return parse(decoded, place, BaseSettings) if stack.endswith(BASE) else parse_platform(decoded, place)


def parse_platform(config: Mapping[str, Any], place: str) -> PlatformSettings:
    """Settings of a platform stack; which ones there are follows from `homespun:environment`. Raises SettingsError."""
    match config.get(f"{PREFIX}environment", "lab"):
        case "lab":
            return parse(config, place, LabPlatform)
        case "cluster":
            return parse(config, place, GivenPlatform)
        case "home":
            found = f"home ({NOT_YET})"
        case other:
            found = str(other)
    raise SettingsError(
        f"{place}: {PREFIX}environment: expected lab, or cluster (one that is there already), got {found}"
    )


def _read(stack: str, folder: Path) -> tuple[dict[str, Any], str]:
    """What stands under `config:` in a stack's file, and how the file is called in messages."""
    path = folder / f"Pulumi.{stack}.yaml"
    place = f"{folder.name}/{path.name}"
    if not path.exists():
        known = ", ".join(sorted(file.name.split(".")[1] for file in folder.glob("Pulumi.*.yaml")))
        raise SettingsError(f"{place}: expected a file, found none; stacks that have one: {known}")
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{place}: expected YAML, got: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or not isinstance(document.get("config") or {}, dict):
        raise SettingsError(f"{place}: expected a mapping `config:` of names to values, got {document!r}")
    return document.get("config") or {}, place


def parse(config: Mapping[str, Any], place: str, kind: type[Settings]) -> Settings:
    """Raises SettingsError, each line of it beginning with `place`."""
    foreign = [key for key in config if not str(key).startswith((PREFIX, "pulumi:"))]
    wrong = [f"{place}: {key}: expected a key that begins with `{PREFIX}`" for key in foreign]
    ours = {key.removeprefix(PREFIX): value for key, value in config.items() if str(key).startswith(PREFIX)}
    try:
        settings = kind.model_validate(ours)
    except ValidationError as error:
        wrong += [_line(place, detail) for detail in error.errors()]
    else:
        wrong += [f"{place}: {line}" for line in settings.contradictions()]
        if not wrong:
            return settings
    raise SettingsError("\n".join(wrong))


def _line(place: str, detail: Any) -> str:
    where = PREFIX + ".".join(str(part) for part in detail["loc"])
    match detail["type"]:
        case "extra_forbidden":
            return f"{place}: {where}: expected no such setting, got {detail['input']!r}"
        case "value_error":
            return f"{place}: {where}: expected {detail['ctx']['error']}, got {detail['input']}"
        case "missing":
            return f"{place}: {where}: expected a value, got none"
        case "model_type":
            return f"{place}: {where}: expected a mapping, got {detail['input']!r}"
        case _:
            return f"{place}: {where}: {detail['msg']}, got {detail['input']!r}"


def _decoded(value: str) -> Any:
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    return decoded if isinstance(decoded, dict | list) else value
