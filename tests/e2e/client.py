"""A tailnet client of somebody's own on a machine: Tailscale's, as its packages set it up, and nothing of ours."""

import json
import shutil
from functools import partial

from homespun.hosts.ssh import Connection
from tests.e2e.lab import quiet
from tests.integration.parts.headscale import Headscale
from tests.waiting import until
from tools.obtain import obtain
from tools.table import named

AUTHORITY = "/etc/tailnet.crt"


def join(machine: Connection, control: Headscale) -> None:
    """Have a person's device be in a tailnet."""
    control.run("users", "create", "me")
    key = json.loads(control.run("preauthkeys", "create", "--user", "1"))["key"]
    for name, place in (("tailscaled", "/usr/local/sbin/"), ("tailscale", "/usr/local/bin/")):
        with obtain(named(name), quiet).open("rb") as file:
            machine.send(partial(shutil.copyfileobj, file), f"cat >{place}{name} && chmod +x {place}{name}")
    machine.write(AUTHORITY, control.authority.read_text())
    machine.run(f"systemd-run --unit=tailscaled --setenv=SSL_CERT_FILE={AUTHORITY}"
                " /usr/local/sbin/tailscaled --state=/var/lib/tailscale/state")  # fmt: skip
    until("tailscaled", lambda: "Logged out" in machine.run("tailscale status || true"))
    machine.run(f"tailscale up --login-server={control.url} --auth-key=file:/dev/stdin", input=key)
