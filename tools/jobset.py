"""JobSet's own manifests: the kind, its controller's rights, its webhooks.

They are files of its repository, read there or in the Go module that the controller is built from; either way they are
what `tools/table.py` pins, or refused. https://jobset.sigs.k8s.io/docs/installation/
"""

import hashlib
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from homespun import places
from tools.obtain import GO_MODULES, ToolError, downloads_allowed
from tools.table import JOBSET_MANIFESTS, JOBSET_VERSION

FOLDER: Final = "config/components"
SITE: Final = f"https://raw.githubusercontent.com/kubernetes-sigs/jobset/v{JOBSET_VERSION}"

Manifest = dict[str, Any]


def parts(site: str = SITE) -> list[Manifest]:
    """The kind, the controller's ClusterRole and the webhooks, without names of ours. Raises ToolError."""
    if not kept().exists():
        kept().parent.mkdir(parents=True, exist_ok=True)
        draft = kept().with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps([_bare(one) for one in _documents(site)]))
        draft.rename(kept())
    found: list[Manifest] = json.loads(kept().read_text())
    return found


def kept() -> Path:
    """Where the cache has them: those of these sums."""
    sums = hashlib.sha256("".join(JOBSET_MANIFESTS.values()).encode()).hexdigest()
    return places.cache() / f"tools/jobset-manifests-{JOBSET_VERSION}-{sums[:12]}.json"


def _documents(site: str) -> Iterator[Manifest]:
    for name, expected in JOBSET_MANIFESTS.items():
        place, content = _file(f"{FOLDER}/{name}", site)
        if (found := hashlib.sha256(content).hexdigest()) != expected:
            raise ToolError(
                f"{place}: expected sha256 {expected}, found {found}; nothing was kept. It is not JobSet's"
                f" {JOBSET_VERSION}: try again, or mend JOBSET_MANIFESTS in tools/table.py"
            )
        yield from (one for one in yaml.safe_load_all(content) if one)


def _file(path: str, site: str) -> tuple[str, bytes]:
    """Where it was found, and what is in it."""
    if downloads_allowed():
        try:
            with urllib.request.urlopen(f"{site}/{path}", timeout=10) as answer:
                return f"{site}/{path}", answer.read()
        except (urllib.error.URLError, TimeoutError):
            pass  # the module holds it too
    return str(_module() / path), (_module() / path).read_bytes()


@cache
def _module() -> Path:
    listed = subprocess.run(
        ["go", "mod", "download", "-json", f"sigs.k8s.io/jobset@v{JOBSET_VERSION}"],
        cwd=GO_MODULES / "jobset", capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode:
        raise ToolError(f"JobSet {JOBSET_VERSION}: its manifests can't be had: {SITE} does not answer, and"
                        f" {' '.join((listed.stderr or listed.stdout).split())[-300:]}")  # fmt: skip
    return Path(json.loads(listed.stdout)["Dir"])


def _bare(node: Any) -> Any:
    """Without descriptions: they are five sixths of the kind, and every write of Pulumi's state would hold them."""
    if isinstance(node, list):
        return [_bare(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {key: _bare(value) for key, value in node.items() if not (key == "description" and isinstance(value, str))}
