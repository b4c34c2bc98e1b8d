"""A stack's settings: what stands under `config:` in stacks/Pulumi.<stack>.yaml, typed; all that is wrong told at once.

stacks/Pulumi.lab-base.yaml: homespun:lab.range: expected an IPv4 network such as 10.41.0.0/24, got 10.41.0.0/33
"""

import json
from collections.abc import Mapping
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

FOLDER: Final = Path(__file__).parent
PREFIX: Final = "homespun:"


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
    if not (text[:1].isalpha() and text.replace("-", "").isalnum() and text == text.lower() and len(text) <= most):
        raise ValueError(f"a lower-case word of at most {most} letters, digits and dashes")
    return text


def _only_lab(value: Any) -> Any:
    if value == "home":
        raise ValueError("lab (home does not work yet: machines that are reached over SSH come later)")
    if value != "lab":
        raise ValueError("lab")
    return value


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


def load(stack: str, folder: Path = FOLDER) -> BaseSettings:
    """The settings of stacks/Pulumi.<stack>.yaml. Raises SettingsError with all that is wrong in it."""
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
    return parse(document.get("config") or {}, place)


def from_pulumi(config: Mapping[str, str], stack: str) -> BaseSettings:
    """The settings as the engine hands them to a program: every value a string, objects as JSON."""
    return parse({key: _decoded(value) for key, value in config.items()}, f"stacks/Pulumi.{stack}.yaml")


def parse(config: Mapping[str, Any], place: str) -> BaseSettings:
    """Raises SettingsError, each line of it beginning with `place`."""
    foreign = [key for key in config if not str(key).startswith((PREFIX, "pulumi:"))]
    wrong = [f"{place}: {key}: expected a key that begins with `{PREFIX}`" for key in foreign]
    ours = {key.removeprefix(PREFIX): value for key, value in config.items() if str(key).startswith(PREFIX)}
    try:
        settings = BaseSettings.model_validate(ours)
    except ValidationError as error:
        wrong += [_line(place, detail) for detail in error.errors()]
    else:
        wrong += [f"{place}: {line}" for line in _overlaps(settings)]
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
        case "model_type":
            return f"{place}: {where}: expected a mapping, got {detail['input']!r}"
        case _:
            return f"{place}: {where}: {detail['msg']}, got {detail['input']!r}"


def _overlaps(settings: BaseSettings) -> list[str]:
    """kube-proxy drops what goes to an address of the service range that is no service; the others are as bad."""
    ranges = {
        "homespun:lab.range": settings.lab.range,
        "homespun:cluster.podRange": settings.cluster.pod_range,
        "homespun:cluster.serviceRange": settings.cluster.service_range,
    }
    return [
        f"{one}: expected not to overlap with {other} ({ranges[other]}), got {ranges[one]}"
        for one, other in combinations(ranges, 2)
        if ranges[one].overlaps(ranges[other])
    ]


def _decoded(value: str) -> Any:
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    return decoded if isinstance(decoded, dict | list) else value
