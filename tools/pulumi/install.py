"""Put together what `pulumi` needs on this machine, and the environment that it runs in.

HOMESPUN_CACHE/pulumi/<digest>/bin/       pulumi and its companions: first on PATH
HOMESPUN_CACHE/pulumi/<digest>/plugins/   the kubernetes plugin
HOMESPUN_STATE/pulumi/.pulumi/            the stacks' state
HOMESPUN_STATE/pulumi/passphrase          what the secrets in it are encrypted with (mode 0600)
HOMESPUN_STATE/pulumi/home/               Pulumi's own folder: the selected stack, a link to the plugin
"""

import fcntl
import hashlib
import os
import secrets
import shlex
import shutil
import tempfile
import time
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homespun import places
from tools.environments import environment as python_environment
from tools.obtain import Progress, ToolError, architecture, download, downloads_allowed, obtain
from tools.table import PULUMI_COMPANIONS, Release, named

CHECKOUT: Final = Path(__file__).parent.parent.parent
KUBERNETES_VERSION: Final = "4.34.2"  # `pulumi-kubernetes` in pyproject.toml is the same
KUBERNETES_PLUGIN: Final = "pulumi-resource-kubernetes"
KUBERNETES_RELEASE: Final = Release(
    url="https://github.com/pulumi/pulumi-kubernetes/releases/download/v{version}/"
    "pulumi-resource-kubernetes-v{version}-linux-{arch}.tar.gz",
    checksum_url="https://github.com/pulumi/pulumi-kubernetes/releases/download/v{version}/"
    "pulumi-kubernetes_{version}_checksums.txt",
    member=KUBERNETES_PLUGIN,
)
REFUSAL_LASTS: Final = 24 * 3600.0
"""Seconds after which a site that could not be reached is tried again: not with each `pulumi` command."""
STAND_INS: Final = {
    "pulumi-language-python": "tools.pulumi.language",
    "pulumi-resource-pulumi-python": "tools.pulumi.dynamic",
    KUBERNETES_PLUGIN: "tools.pulumi.kubernetes",
}
"""What stands in for a companion: the module of ours that runs in its place."""


@dataclass(frozen=True)
class Installation:
    """What was put together. `bin` holds the CLI and its companions, `plugin` is the kubernetes plugin."""

    bin: Path
    plugin: Path
    python: Path
    """The interpreter of requirements/stacks.txt: programs, dynamic providers and stand-ins run on it."""
    choices: tuple[str, ...]
    """A line for each part: whether it is the official one or a stand-in, and why."""


def install(progress: Progress) -> Installation:
    """Obtain the CLI, its companions and the kubernetes plugin; official ones where they can be had.

    Raises ToolError or EnvironmentBuildError; leaves nothing half-made behind.
    """
    pulumi = obtain(named("pulumi"), progress).resolve()
    python = python_environment("stacks") / "bin/python"
    companions = [pulumi.parent / name for name in PULUMI_COMPANIONS]
    official = all(path.exists() for path in companions)
    plugin = _official_plugin(progress)

    links = {f"bin/{path.name}": path for path in [pulumi, *(companions if official else [])]}
    if isinstance(plugin, Path):
        links[f"plugins/{plugin.name}"] = plugin
    launchers = {
        f"{'plugins' if name == KUBERNETES_PLUGIN else 'bin'}/{name}": launcher(python, CHECKOUT, module)
        for name, module in STAND_INS.items()
    }
    folder = _assemble(links, {path: text for path, text in launchers.items() if path not in links})
    choices = (
        f"pulumi: {pulumi}",
        "pulumi's companions: official" if official else f"pulumi's companions: stand-ins (none beside {pulumi})",
        f"kubernetes plugin: {'official' if isinstance(plugin, Path) else f'stand-in ({plugin})'}",
    )
    return Installation(folder / "bin", folder / "plugins" / KUBERNETES_PLUGIN, python, choices)


def launcher(python: Path, checkout: Path, module: str) -> str:
    """The text of a command that runs `module` of `checkout`; its caller's folder and PYTHONPATH don't come into it."""
    code = f"import runpy, sys; sys.path.insert(0, {str(checkout)!r}); runpy.run_module({module!r}, None, '__main__')"
    return f'#!/bin/sh\nexec {shlex.quote(str(python))} -u -P -c {shlex.quote(code)} "$@"\n'


def environment(installation: Installation, state: Path, base: Mapping[str, str]) -> dict[str, str]:
    """`base` with what a `pulumi` command needs; makes the stacks' part of `state` and its passphrase, if need be."""
    folder = state / "pulumi"
    try:
        _private_folder(folder)
        _passphrase(folder / "passphrase")
        _link_plugin(folder / "home", installation.plugin)
    except OSError as error:
        raise ToolError(
            f"{folder}: expected a folder to keep the stacks' state in, found: {error.strerror}. Be root, or set"
            " HOMESPUN_STATE to a folder of yours"
        ) from error
    ours = {
        "PATH": f"{installation.bin}:{base.get('PATH', os.defpath)}",
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder / "passphrase"),
        "PULUMI_PYTHON_CMD": str(installation.python),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    inherited = {name: value for name, value in base.items() if name != "PULUMI_CONFIG_PASSPHRASE"}  # would win
    return {**inherited, **ours}


def _official_plugin(progress: Progress) -> Path | str:
    """The official kubernetes plugin, in the cache; or why it can't be had."""
    folder = places.cache() / "tools" / f"{KUBERNETES_PLUGIN}-{KUBERNETES_VERSION}-{architecture()}"
    target = folder / KUBERNETES_PLUGIN
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return target
        if not downloads_allowed():
            return "downloads are off (HOMESPUN_DOWNLOADS=no)"
        refusal = folder / ".refusal"
        if refusal.exists() and time.time() - refusal.stat().st_mtime < REFUSAL_LASTS:
            return refusal.read_text()
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            try:
                download(KUBERNETES_RELEASE, KUBERNETES_VERSION, Path(fresh) / KUBERNETES_PLUGIN, progress)
            except (urllib.error.URLError, TimeoutError) as error:
                refusal.write_text(f"the official download failed: {error}")
                return refusal.read_text()
            (Path(fresh) / KUBERNETES_PLUGIN).rename(target)
    return target


def _assemble(links: Mapping[str, Path], launchers: Mapping[str, str]) -> Path:
    """A folder in the cache with these files in it, named by what they are."""
    stamps = {path: (str(file), file.stat().st_size, file.stat().st_mtime_ns) for path, file in links.items()}
    digest = hashlib.sha256(repr([sorted(stamps.items()), sorted(launchers.items())]).encode()).hexdigest()[:12]
    target = places.cache() / "pulumi" / digest
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        for path in [*links, *launchers]:
            (fresh / path).parent.mkdir(exist_ok=True)
        for path, file in links.items():
            _hard_link(file, fresh / path)
        for path, text in launchers.items():
            (fresh / path).write_text(text)
            (fresh / path).chmod(0o755)
        fresh.chmod(0o755)
        fresh.rename(target)
    except OSError:
        if not target.exists():  # else another process was first, with the same
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _hard_link(file: Path, target: Path) -> None:
    """The same file under another name: the CLI looks for companions where its own file is, beyond symbolic links."""
    try:
        target.hardlink_to(file)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(file, target)


def _private_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def _passphrase(path: Path) -> None:
    """A passphrase of our own making, whole or not at all; never written anew: the state's secrets hang on it."""
    if path.exists():
        return
    descriptor, fresh = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(32))
        os.link(fresh, path)
    except FileExistsError:
        pass  # another process was first
    finally:
        os.unlink(fresh)


def _link_plugin(home: Path, plugin: Path) -> None:
    """Where the engine looks for the plugin; one that is found on PATH is warned about in each run."""
    link = home / "plugins" / f"resource-kubernetes-v{KUBERNETES_VERSION}" / KUBERNETES_PLUGIN
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.readlink() == plugin:
        return
    fresh = link.with_name(f".{os.getpid()}")
    fresh.symlink_to(plugin)
    fresh.replace(link)
