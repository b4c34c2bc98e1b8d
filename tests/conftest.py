"""How examples are drawn: whatever the machine is busy with. A first draw builds tables, and is slow on a cold one."""

from hypothesis import HealthCheck, settings

settings.register_profile("homespun", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("homespun")
