"""The door for `pulumi up`: read typed settings, build the stack."""

import pulumi
from pulumi.runtime.config import CONFIG

from stacks import program, settings

try:
    found = settings.from_pulumi(CONFIG.get(), pulumi.get_stack())
except settings.SettingsError as error:
    raise pulumi.RunError(str(error)) from None
program.base(found)
