"""`python -m tools.jobset`: JobSet's own manifests, the kind, its controller's rights, its webhooks.

They are files of its repository, read there or in the Go module that the controller is built from; either way they are
what `tools/table.py` pins, or refused. https://jobset.sigs.k8s.io/docs/installation/
"""

import contextlib
import hashlib
import json
import subprocess
import tempfile
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from homespun import places
from tools.obtain import GO_MODULES, ToolError, downloads_allowed
from tools.table import JOBSET_MANIFESTS, JOBSET_VERSION

FOLDER: Final = "config/components"
BARE: Final = "parts.json"
SITE: Final = f"https://raw.githubusercontent.com/kubernetes-sigs/jobset/v{JOBSET_VERSION}"

Manifest = dict[str, Any]


def parts(site: str = SITE) -> list[Manifest]:
    """The kind, the controller's ClusterRole and the webhooks, without names of ours. Raises ToolError."""
    bare = kept() / BARE
    if not bare.exists():
        kept().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept().parent) as folder:
            draft, texts = Path(folder) / "draft", files(site)
            for path, content in texts.items():
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                (draft / path).write_bytes(content)
            whole = [one for content in texts.values() for one in yaml.safe_load_all(content) if one]
            (draft / BARE).write_text(json.dumps([_bare(one) for one in whole]))
            with contextlib.suppress(OSError):  # another one was faster, with the same
                draft.rename(kept())
    found: list[Manifest] = json.loads(bare.read_text())
    return found


def kept() -> Path:
    """The folder where the cache has them, as upstream and as `parts` gives them: those of these sums."""
    sums = hashlib.sha256("".join(JOBSET_MANIFESTS.values()).encode()).hexdigest()
    return places.cache() / f"tools/jobset-manifests-{JOBSET_VERSION}-{sums[:12]}"


def files(site: str = SITE) -> dict[str, bytes]:
    """The files as upstream has them, by their paths in its repository: all from the one place or from the other.

    Raises ToolError where one is not what is pinned.
    """
    paths = {f"{FOLDER}/{name}": expected for name, expected in JOBSET_MANIFESTS.items()}
    found: dict[str, bytes] = {}
    if downloads_allowed():
        try:
            for path in paths:
                with urllib.request.urlopen(f"{site}/{path}", timeout=10) as answer:
                    found[path] = answer.read()
        except (urllib.error.URLError, TimeoutError):
            found = {}  # the module holds them too
    place = site if found else str(_module())
    found = found or {path: (_module() / path).read_bytes() for path in paths}
    for path, expected in paths.items():
        if (sum_ := hashlib.sha256(found[path]).hexdigest()) != expected:
            raise ToolError(
                f"{place}/{path}: expected sha256 {expected}, found {sum_}; nothing was kept. It is not JobSet's"
                f" {JOBSET_VERSION}: try again, or mend JOBSET_MANIFESTS in tools/table.py"
            )
    return found


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


if __name__ == "__main__":
    parts()
    print(kept())
