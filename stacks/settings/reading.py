"""Reading the settings of a stack, from its file or from the engine; all that is wrong is told at once."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import ValidationError

from stacks.settings.base_stack import HomeBase, LabBase
from stacks.settings.fields import PREFIX
from stacks.settings.platform_stack import GivenPlatform, OwnPlatform, PlatformSettings

FOLDER: Final = Path(__file__).parent.parent
ENVIRONMENT: Final = f"{PREFIX}environment"
SECRET: Final = re.compile("key|token|secret|password", re.IGNORECASE)
"""In the names of settings that somebody may make up, for what must not be printed."""
BASE: Final = "-base"
"""Ends the name of an environment's first stack: machines, hosts, cluster. The second has the environment's name."""

Settings = TypeVar("Settings", LabBase, HomeBase, OwnPlatform, GivenPlatform)
OwnBase = LabBase | HomeBase


class SettingsError(Exception):
    """Settings are not as they ought to be; the message has a line for each, with place, expectation and finding."""


def base(environment: str, folder: Path = FOLDER) -> OwnBase:
    """The settings of an environment's base stack. Raises SettingsError with all that is wrong in the file."""
    return parse_base(*_read(f"{environment}{BASE}", folder))


def lab(environment: str, folder: Path = FOLDER) -> LabBase:
    """The settings of a lab's base stack. Raises SettingsError, where it is none too."""
    found = base(environment, folder)
    if not isinstance(found, LabBase):
        raise SettingsError(f"{folder.name}/Pulumi.{environment}{BASE}.yaml: {ENVIRONMENT}: expected lab, got home")
    return found


def platform(environment: str, folder: Path = FOLDER) -> PlatformSettings:
    """The settings of an environment's platform stack. Raises SettingsError with all that is wrong in the file."""
    return parse_platform(*_read(environment, folder))


def from_pulumi(config: Mapping[str, str], stack: str) -> OwnBase | PlatformSettings:
    """The settings as the engine hands them to a program: every value a string, objects as JSON."""
    decoded = {key: _decoded(value) for key, value in config.items()}
    place = f"stacks/Pulumi.{stack}.yaml"
    return parse_base(decoded, place) if stack.endswith(BASE) else parse_platform(decoded, place)


def parse_base(config: Mapping[str, Any], place: str) -> OwnBase:
    """Settings of a base stack; which ones there are follows from `homespun:environment`. Raises SettingsError."""
    match config.get(ENVIRONMENT, "lab"):
        case "lab":
            return parse(config, place, LabBase)
        case "home":
            return parse(config, place, HomeBase)
        case other:
            raise SettingsError(f"{place}: {ENVIRONMENT}: expected lab, or home (machines of one's own), got {other}")


def parse_platform(config: Mapping[str, Any], place: str) -> PlatformSettings:
    """Settings of a platform stack; which ones there are follows from `homespun:environment`. Raises SettingsError."""
    match config.get(ENVIRONMENT, "lab"):
        case "lab" | "home":
            return parse(config, place, OwnPlatform)
        case "cluster":
            return parse(config, place, GivenPlatform)
        case other:
            raise SettingsError(
                f"{place}: {ENVIRONMENT}: expected lab, home (machines of one's own) or cluster (one that is there"
                f" already), got {other}"
            )


def _read(stack: str, folder: Path) -> tuple[dict[str, Any], str]:
    """What stands under `config:` in a stack's file, and how the file is called in messages."""
    path = folder / f"Pulumi.{stack}.yaml"
    place = f"{folder.name}/{path.name}"
    if not path.exists():
        names = {file.name.split(".")[1].removesuffix(BASE) for file in folder.glob("Pulumi.*.yaml")}
        raise SettingsError(
            f"{place}: expected a file, found none; environments that have one: {', '.join(sorted(names))}. `make home`"
            " writes one for machines of your own, docs/given-cluster.md says it for a cluster that is there already"
        )
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
            got = "one whose value is not said here" if SECRET.search(where) else repr(detail["input"])
            return f"{place}: {where}: expected no such setting, got {got}"
        case "value_error":
            return f"{place}: {where}: expected {detail['ctx']['error']}, got {detail['input']}"
        case "missing":
            return f"{place}: {where}: expected a value, got none"
        case "model_type":
            return f"{place}: {where}: expected a mapping, got {detail['input']!r}"
        case "too_short":
            return f"{place}: {where}: expected at least 1 entry, got none"
        case _:
            return f"{place}: {where}: {detail['msg']}, got {detail['input']!r}"


def _decoded(value: str) -> Any:
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    return decoded if isinstance(decoded, dict | list) else value
