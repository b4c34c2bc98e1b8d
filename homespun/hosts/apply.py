"""Make a machine as its state says, look whether it still is, or take everything away: by Ansible, over SSH."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from homespun.hosts import facts, layout, server, ways
from homespun.hosts.errors import HostError, RefusedError
from homespun.hosts.ssh import Connection
from homespun.hosts.state import HostState

ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONDONTWRITEBYTECODE")
"""What Ansible is told of ours: ansible-runner writes all of it to disk, and a credential may be among the rest."""

Progress = Callable[[str], None]
"""Called with the name of each task as it starts."""


@dataclass(frozen=True)
class Obsolete:
    """What an earlier state brought, and the present one does not have."""

    files: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What a run changed, or in check mode would: paths, units, images, task names."""

    changed: tuple[str, ...]


def apply(
    connection: Connection,
    wanted: HostState,
    obsolete: Obsolete,
    interpreter: Path,
    progress: Progress,
    check: bool = False,
) -> Report:
    """Bring the machine to `wanted`; `obsolete` is what is to go of an earlier state.

    `interpreter` is the Python of the environment that holds Ansible. With `check` nothing is touched.
    Raises RefusedError, before anything is touched, where something on the machine stands in the way.
    """
    if found := facts.obstacles(facts.read(connection)):
        raise RefusedError(f"{connection.address}: {'; '.join(found)}")
    with server.serve(connection, wanted) as url:
        variables = {"desired": _variables(wanted), "server": url, "obsolete": asdict(obsolete)}
        return _play("site.yml", connection, variables, interpreter, progress, check)


def remove(connection: Connection, applied: HostState, interpreter: Path, progress: Progress) -> Report:
    """Take away what `applied` brought."""
    report = _play("remove.yml", connection, {"desired": _variables(applied)}, interpreter, progress, check=False)
    connection.run(f"rm -rf {layout.SCRATCH}")
    return report


def _variables(wanted: HostState) -> dict[str, Any]:
    """What the roles loop over. Contents stay here: they are served."""
    described = asdict(wanted)
    for file in described["files"]:
        del file["content"], file["artifact"]
    return {
        **described,
        "prefix": layout.PREFIX,
        "root": layout.ROOT,
        "run": layout.RUN,
        "bridge": layout.BRIDGE,
        "ways_table": ways.TABLE,
        "pending": layout.PENDING,
        "log_folder": layout.AUDIT_LOG_FOLDER,
        "ctr": layout.CTR,
    }


def _play(
    playbook: str,
    connection: Connection,
    variables: dict[str, Any],
    interpreter: Path,
    progress: Progress,
    check: bool,
) -> Report:
    with tempfile.TemporaryDirectory(prefix="homespun-") as folder:
        request = {
            "playbook": playbook,
            "connection": asdict(connection),
            "variables": variables,
            "check": check,
            "folder": folder,
        }
        command = [str(interpreter), "-m", "homespun.hosts.playbook"]
        root = Path(__file__).parent.parent.parent
        with subprocess.Popen(
            command,
            cwd=root,
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request))
            process.stdin.close()
            changed, failed, noise = [], [], []
            for line in process.stdout:
                try:
                    event = json.loads(line)
                except ValueError:
                    noise.append(line)
                    continue
                if "task" in event:
                    progress(event["task"])
                elif "failed" in event:
                    failed.append(event["failed"])
                else:
                    changed.append(event["item"])
        if process.returncode:
            raise HostError(f"{connection.address}: {'; '.join(failed) or ''.join(noise[-40:])}")
    return Report(tuple(dict.fromkeys(changed)))
