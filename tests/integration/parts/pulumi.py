"""A Pulumi project of its own: the real CLI and engine, with a state folder that no other project shares."""

import json
import os
import shutil
import subprocess
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.integration.parts.process import Process
from tools.pulumi import install

NAME = "project"
STACK = "test"
PROVIDER = """
    import pulumi
    import pulumi_kubernetes as k8s

    config = pulumi.Config()
    provider = k8s.Provider("cluster", kubeconfig=config.require("kubeconfig"), cluster_identifier="test", **{options})
    options = pulumi.ResourceOptions(provider=provider)
"""
"""The head of a program on a cluster: the following lines find `k8s`, `config` and `options`."""


@dataclass
class Ran:
    """What a command printed."""

    output: str

    def __contains__(self, text: str) -> bool:
        return text in self.output


@dataclass
class Project:
    """A project with one stack, `test`, as `with_a_stack` made it. `write` gives it a program."""

    folder: Path
    installation: install.Installation
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.environment = install.environment(self.installation, self.folder / "state", os.environ)
        self.environment["PULUMI_STACK"] = STACK

    @classmethod
    def with_a_stack(cls, folder: Path, installation: install.Installation) -> "Project":
        project = cls(folder, installation)
        (folder / "Pulumi.yaml").write_text(f"name: {NAME}\nruntime: python\n")
        project.run("stack", "init", STACK)
        return project

    def copy(self, folder: Path) -> "Project":
        """The same as a project of its own, without starting `pulumi` to make it."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Project(folder, self.installation)

    def write(self, program: str, file: str = "__main__.py") -> None:
        (self.folder / file).parent.mkdir(exist_ok=True)
        (self.folder / file).write_text(textwrap.dedent(program))

    def on_cluster(self, kubeconfig: Path, lines: str, **options: Any) -> None:
        """A program that makes the objects of `lines` through a provider with these options."""
        head = textwrap.dedent(PROVIDER).replace("{options}", repr(options))
        self.write(head + textwrap.dedent(lines))
        self.configure(kubeconfig=str(kubeconfig))

    def configure(self, **values: str) -> None:
        """Plain values, into the stack's file, as `pulumi config set` writes them."""
        file = self.folder / f"Pulumi.{STACK}.yaml"
        settings = yaml.safe_load(file.read_text())
        settings.setdefault("config", {}).update({f"{NAME}:{key}": value for key, value in values.items()})
        file.write_text(yaml.safe_dump(settings))

    def up(self, *arguments: str, fails: bool = False) -> Ran:
        return self.run("up", "--yes", "--skip-preview", *arguments, fails=fails)

    def preview(self, *arguments: str, fails: bool = False) -> Ran:
        return self.run("preview", *arguments, fails=fails)

    def refresh(self) -> Ran:
        return self.run("refresh", "--yes", "--skip-preview")

    def destroy(self, *arguments: str, fails: bool = False) -> Ran:
        return self.run("destroy", "--yes", "--skip-preview", *arguments, fails=fails)

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("stack", "output", "--json").output)
        return found

    def state(self) -> dict[str, Any]:
        """What the engine keeps of the stack: resources by URN's last part."""
        exported = json.loads(self.run("stack", "export").output)["deployment"]
        return {one["urn"].split("::", 3)[-1]: one for one in exported.get("resources", [])}

    def state_files(self) -> str:
        """All that is kept on disk, as text."""
        files = [path for path in (self.folder / "state").rglob("*") if path.is_file() and not path.is_symlink()]
        return "\n".join(path.read_text(errors="replace") for path in files if path.name != "passphrase")

    def run(self, *arguments: str, fails: bool = False, environment: Mapping[str, str] | None = None) -> Ran:
        """A `pulumi` command; an AssertionError with what it printed if it ends otherwise than expected."""
        ran = subprocess.run(
            self._command(*arguments),
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if "export" in arguments or "--json" in arguments else subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=180,
        )
        ended = f"pulumi {' '.join(arguments)}: exit {ran.returncode}\n{ran.stdout}{ran.stderr or ''}"
        assert bool(ran.returncode) == fails, ended
        return Ran(ran.stdout)

    def start(self, *arguments: str) -> Process:
        """A `pulumi` command that goes on beside the test."""
        log = self.folder / f"{arguments[0]}.log"
        return Process(self._command(*arguments), log, self.environment, self.folder)

    def _command(self, *arguments: str) -> list[str]:
        return [
            str(self.installation.bin / "pulumi"),
            "--non-interactive",
            "--color=never",
            f"--cwd={self.folder}",
            *arguments,
        ]
