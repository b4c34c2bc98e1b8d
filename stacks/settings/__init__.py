"""A stack's settings, typed: what stands under `config:` in stacks/Pulumi.<stack>.yaml.

stacks/Pulumi.lab-base.yaml: homespun:lab.range: expected an IPv4 network such as 10.41.0.0/24, got 10.41.0.0/33
"""

from stacks.settings.base_stack import BaseSettings, HomeBase, LabBase
from stacks.settings.machines import HOME, HomeMachineSettings, RentedSettings, VastSettings
from stacks.settings.platform_stack import GivenPlatform, OwnPlatform, PlatformSettings
from stacks.settings.reading import (
    BASE,
    FOLDER,
    OwnBase,
    SettingsError,
    base,
    from_pulumi,
    lab,
    parse,
    parse_base,
    parse_platform,
    platform,
)

__all__ = [
    "BASE",
    "FOLDER",
    "HOME",
    "BaseSettings",
    "GivenPlatform",
    "HomeBase",
    "HomeMachineSettings",
    "LabBase",
    "OwnBase",
    "OwnPlatform",
    "PlatformSettings",
    "RentedSettings",
    "SettingsError",
    "VastSettings",
    "base",
    "from_pulumi",
    "lab",
    "parse",
    "parse_base",
    "parse_platform",
    "platform",
]
