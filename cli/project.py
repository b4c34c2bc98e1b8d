"""The Pulumi project as it is run: in the state folder, so that nothing is ever written into the clone.

Pulumi keeps the salt of a stack's secrets in the stack's settings file. So the file that it gets is a copy of ours
with that line added, in a project whose `main` is the clone.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from cli.errors import CommandFailed
from homespun import places
from tools.pulumi.install import Installation, environment

CHECKOUT: Final = Path(__file__).parent.parent
SALT: Final = "encryptionsalt"
UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's word for what a preview can't know (sdk/go/common/resource/plugin, UnknownStringValue)."""


class Project:
    """One stack of the project."""

    def __init__(self, stack: str, installation: Installation) -> None:
        self.stack = stack
        self.folder = places.state() / "pulumi/project"
        self._environment = environment(installation, places.state(), os.environ)
        self._command = str(installation.bin / "pulumi")
        self.folder.mkdir(parents=True, exist_ok=True)
        description = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())
        del description["stackConfigDir"]
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump({**description, "main": str(CHECKOUT)}))
        self._copy_settings()

    @staticmethod
    def known(stack: str) -> bool:
        """Whether this state folder has a record of the stack."""
        return any((folder / f"{stack}.json").exists() for folder in _folders())

    @staticmethod
    def recorded(stack: str, kind: str) -> list[dict[str, Any]]:
        """Outputs of the stack's resources of a kind, as the last whole record in this state folder has them."""
        for folder in _folders():
            for path in (folder / f"{stack}.json", folder / f"{stack}.json.bak"):
                if path.exists() and (record := _read(path)) is not None:
                    resources = (record["checkpoint"].get("latest") or {}).get("resources", ())
                    return [one.get("outputs", {}) for one in resources if one["type"].endswith(f":{kind}")]
        return []

    def prepare(self) -> None:
        """Make the stack, if there is none of that name; free it from the lock of a run that was killed."""
        mend(self.stack)
        selected = self.run("stack", "select", "--stack", self.stack)
        if "no stack named" in selected.stderr:
            self._checked("stack", "init", self.stack)
            self._copy_settings()
        elif selected.returncode:
            raise CommandFailed(f"pulumi stack select {self.stack} failed:\n{selected.stderr.strip()}")
        self._unlock()

    def start(self, command: str, log: Path) -> "subprocess.Popen[bytes]":
        """`up` or `destroy` of the stack, its output in `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            arguments = [
                "--non-interactive",
                "--color=never",
                command,
                "--yes",
                "--skip-preview",
                "--stack",
                self.stack,
            ]
            return subprocess.Popen([self._command, *arguments], cwd=self.folder, env=self._environment,
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=out)  # fmt: skip

    def made_anew(self) -> list[str]:
        """What an `up` would take away, and perhaps make again; [] where that can't be told.

        Without what a preview merely can't rule out: where a machine is changed in place, how it is reached is not
        known before, and all that is on it would seem to go.
        """
        ran = self.run("preview", "--json", "--stack", self.stack)
        try:
            steps = json.loads(ran.stdout)["steps"]
        except (ValueError, LookupError):
            return []
        return sorted({_called(step) for step in steps if surely_goes(step)})

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in the clear."""
        asked = ["stack", "output", "--json", "--show-secrets", "--stack", self.stack]
        outputs: dict[str, Any] = json.loads(self._checked(*asked))
        return outputs

    def forget(self) -> None:
        """Remove the stack and all that Pulumi knows of it."""
        self._unlock()
        if not self.run("stack", "select", "--stack", self.stack).returncode:
            self._checked("stack", "rm", "--yes", "--force", "--stack", self.stack)
        self._settings().unlink(missing_ok=True)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A `pulumi` command, its output caught."""
        command = [self._command, "--non-interactive", "--color=never", *arguments]
        return subprocess.run(command, cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)  # fmt: skip

    def _checked(self, *arguments: str) -> str:
        ran = self.run(*arguments)
        if ran.returncode:
            raise CommandFailed(f"pulumi {' '.join(arguments)} failed:\n{ran.stderr.strip()}")
        return ran.stdout

    def _unlock(self) -> None:
        """Remove the locks of runs that were killed."""
        for lock in places.state().glob(f"pulumi/.pulumi/locks/**/{self.stack}/*.json"):
            if not _runs(json.loads(lock.read_text())["pid"]):
                lock.unlink(missing_ok=True)

    def _settings(self) -> Path:
        return self.folder / f"Pulumi.{self.stack}.yaml"

    def _copy_settings(self) -> None:
        ours = CHECKOUT / f"stacks/Pulumi.{self.stack}.yaml"
        if not ours.exists():
            return
        kept = yaml.safe_load(self._settings().read_text()) if self._settings().exists() else {}
        settings = yaml.safe_load(ours.read_text()) or {}
        if salt := (kept or {}).get(SALT):
            settings[SALT] = salt
        self._settings().write_text(yaml.safe_dump(settings))


def mend(stack: str) -> None:
    """Undo what a kill left of the engine's files, which it does not write in one piece: the last whole one counts."""
    for folder in _folders():
        for attributes in folder.glob(f"{stack}.json*.attrs"):
            if _read(attributes) is None:
                attributes.unlink()
        for partial in folder.glob(f"{stack}.json.*.tmp"):
            partial.unlink()
        checkpoint = folder / f"{stack}.json"
        backup = folder / f"{stack}.json.bak"
        if checkpoint.exists() and _read(checkpoint) is None:
            if backup.exists() and _read(backup) is not None:
                shutil.copyfile(backup, checkpoint)
            else:
                checkpoint.unlink()


def _folders() -> Iterator[Path]:
    """Where the engine keeps its records of stacks, by projects."""
    return places.state().glob("pulumi/.pulumi/stacks/*")


def _read(path: Path) -> dict[str, Any] | None:
    """A file of the engine's; None where a kill has left half of it."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return None
    return found


def _runs(process: int) -> bool:
    """Whether a process is there, and more than the record of its end."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def _called(step: dict[str, Any]) -> str:
    """A resource's kind and name; a node's is the cluster's for it, where a machine of one's own has its address."""
    kind, name = step["urn"].split("::", 2)[2].split("$")[-1].split(":")[-3], step["urn"].rpartition(":")[2]
    known = step.get("oldState", {}).get("inputs", {}).get("node") if kind == "Node" else None
    return f"{kind} {known or name}"


def surely_goes(step: dict[str, Any]) -> bool:
    """Whether a step of a preview takes a resource away, by a value that is known.

    One that is replaced for no reason of its own is so because of another, which is a step too.
    """
    if step["op"] != "replace":
        return bool(step["op"] == "delete")
    inputs = step.get("newState", {}).get("inputs", {})
    return any(inputs.get(name) != UNKNOWN for name in step.get("replaceReasons") or ())
