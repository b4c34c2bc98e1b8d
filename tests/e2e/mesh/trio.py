"""Three machines of a lab's, two on one LAN and one behind a NAT: how tests reach them, and what they ask them."""

import json
from collections.abc import Callable
from typing import Any, Final

from cli.lab import machines_of
from stacks import settings
from stacks.machines import nspawn
from tests.e2e import lab as labs
from tests.e2e import web as web_servers
from tests.e2e.lab import Lab

NAME: Final = "trio"
BASE: Final = f"{NAME}{settings.BASE}"
ALL: Final = frozenset({"m0", "m1", "m2"})

Pods = Callable[[], dict[str, dict[str, Any]]]
"""The web servers' pods, by the names of their machines."""


def machine(name: str) -> nspawn.Machine:
    return next(one for one in machines_of(settings.lab(NAME)) if one.name == name)


def pulumi_up() -> str:
    return labs.pulumi("up", "--yes", "--skip-preview", stack=BASE)


def nodes(lab: Lab) -> set[str]:
    """Those that are Ready; none where nobody can say."""
    said = lab.kubectl("get", "nodes", "-o", "json", "--request-timeout=10s", check=False)
    return {
        one["metadata"]["name"]
        for one in json.loads(said or '{"items": []}')["items"]
        if any(entry["type"] == "Ready" and entry["status"] == "True" for entry in one["status"]["conditions"])
    }


def ask(lab: Lab, pod: str, url: str) -> list[str]:
    """Which machine answered, and under which address it was asked; [] where nobody answers."""
    return web_servers.ask(lab, pod, url).split()


def reaches(lab: Lab, pods: Pods, caller: str, called: str) -> bool:
    """Whether a pod on one machine is answered by that on another, under its own address."""
    now = pods()
    if not {caller, called} <= set(now):
        return False
    pod, address = now[caller]["metadata"]["name"], now[called]["status"].get("podIP")
    return ask(lab, pod, f"http://{address}:8000/") == [called, now[caller]["status"].get("podIP")]
