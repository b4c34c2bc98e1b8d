"""A process of its own, in Ansible's own environment: runs one playbook on one machine and tells how it goes.

Reads a JSON object from standard input: `playbook` (a file name in ansible/), `connection` (a Connection), `variables`,
`check` (bool: look, don't touch), `folder` (for its own files). Prints a JSON line for each event: {"task": name} when
one starts, {"item": name, "changed": bool} for what it did, {"failed": message}; exits with 0 if all went well.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import ansible_mitogen
import ansible_runner

from homespun.hosts import layout
from homespun.hosts.ssh import Connection

ANSIBLE: Final = Path(__file__).parent / "ansible"
STRATEGIES: Final = Path(ansible_mitogen.__file__).parent / "plugins/strategy"


def main() -> int:
    parent = os.getppid()
    request = json.load(sys.stdin)
    connection = Connection(**request["connection"])
    host = {
        "ansible_host": connection.address,
        "ansible_port": connection.port,
        "ansible_user": connection.user,
        "ansible_ssh_common_args": " ".join(connection.options()),
        "mitogen_ssh_compression": False,  # it costs more than a LAN
    }
    run = ansible_runner.run(
        private_data_dir=request["folder"],
        playbook=str(ANSIBLE / request["playbook"]),
        inventory={"all": {"hosts": {"machine": host}}},
        extravars=request["variables"],
        envvars={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",  # there is one connection
            "ANSIBLE_TIMEOUT": "60",  # for SSH, login and Python together, each
            "ANSIBLE_HOME": request["folder"],
            "ANSIBLE_REMOTE_TEMP": layout.SCRATCH,
            # One Python on the machine for all tasks, where Ansible would start one for each, and send it its modules.
            "ANSIBLE_STRATEGY": "mitogen_linear",
            "ANSIBLE_STRATEGY_PLUGINS": str(STRATEGIES),
        },
        cmdline="--check" if request["check"] else None,
        quiet=True,
        event_handler=_tell,
        # Ansible runs in a session of its own, and would outlive a caller that was killed.
        cancel_callback=lambda: os.getppid() != parent,
    )
    return 0 if run.status == "successful" else 1


def _tell(event: dict[str, Any]) -> bool:
    data = event.get("event_data", {})
    result = data.get("res") or {}
    match event["event"]:
        case "playbook_on_task_start":
            _print({"task": data["name"]})
        case "runner_item_on_ok" if result.get("changed"):
            _print({"item": str(result.get("_ansible_item_label") or result.get("item")), "changed": True})
        case "runner_on_ok" if result.get("paths"):
            for path in result["paths"]:
                _print({"item": path, "changed": True})
        case "runner_on_ok" if result.get("changed") and "results" not in result:
            _print({"item": data["task"], "changed": True})
        case "runner_on_failed" if "results" in result:
            pass  # each of its items has been told
        case "runner_item_on_failed" | "runner_on_failed" | "runner_on_unreachable":
            words = [result.get("msg"), result.get("stderr"), result.get("stdout")]
            _print({"failed": f"{data.get('task')}: " + "\n".join(str(word) for word in words if word)})
    return False  # keep no copy of it on disk


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
