"""The door for `pulumi up`: read typed settings, build the stack."""

import pulumi
from pulumi.runtime.config import CONFIG

from stacks import program, settings

stack = pulumi.get_stack()
try:
    found = settings.from_pulumi(CONFIG.get(), stack)
except settings.SettingsError as error:
    raise pulumi.RunError(str(error)) from None
if isinstance(found, settings.BaseSettings):
    program.base(found)
else:
    program.platform(found, stack)
