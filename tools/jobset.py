"""JobSet's own manifests: the kind, its controller's rights, its webhooks.

They come from the release, or from the Go module that the controller is built from; both hold the same parts.
https://jobset.sigs.k8s.io/docs/installation/
"""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from homespun import places
from tools.obtain import GO_MODULES, ToolError, downloads_allowed
from tools.table import JOBSET_VERSION

URL: Final = f"https://github.com/kubernetes-sigs/jobset/releases/download/v{JOBSET_VERSION}/manifests.yaml"
FOLDERS: Final = ("crd/bases", "rbac", "webhook")
"""In the module's config/components."""
KINDS: Final = (
    "CustomResourceDefinition",
    "ClusterRole",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
CONTROLLER_ROLE: Final = "manager-role"

Manifest = dict[str, Any]


def parts() -> list[Manifest]:
    """The kind, the controller's ClusterRole and the webhooks, without names of ours. Raises ToolError."""
    if not kept().exists():
        kept().parent.mkdir(parents=True, exist_ok=True)
        draft = kept().with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps([_bare(one) for one in _found()]))
        draft.rename(kept())
    found: list[Manifest] = json.loads(kept().read_text())
    return found


def kept() -> Path:
    """Where the cache has them."""
    return places.cache() / f"tools/jobset-manifests-{JOBSET_VERSION}.json"


def _found() -> Iterator[Manifest]:
    for document in _documents():
        wanted = document and document["kind"] in KINDS
        if wanted and (document["kind"] != "ClusterRole" or document["metadata"]["name"].endswith(CONTROLLER_ROLE)):
            yield document


def _documents() -> Iterator[Any]:
    if downloads_allowed():
        try:
            with urllib.request.urlopen(URL, timeout=10) as answer:
                yield from yaml.safe_load_all(answer.read())
                return
        except (urllib.error.URLError, TimeoutError):
            pass  # the module holds them too
    for folder in FOLDERS:
        for file in sorted((_module() / "config/components" / folder).glob("*.yaml")):
            yield from (one for one in yaml.safe_load_all(file.read_text()) if isinstance(one, dict) and "kind" in one)


def _module() -> Path:
    listed = subprocess.run(
        ["go", "mod", "download", "-json", f"sigs.k8s.io/jobset@v{JOBSET_VERSION}"],
        cwd=GO_MODULES / "jobset", capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode:
        raise ToolError(f"JobSet {JOBSET_VERSION}: its manifests can't be had: {URL} does not answer, and"
                        f" {' '.join((listed.stderr or listed.stdout).split())[-300:]}")  # fmt: skip
    return Path(json.loads(listed.stdout)["Dir"])


def _bare(node: Any) -> Any:
    """Without descriptions: they are five sixths of the kind, and every write of Pulumi's state would hold them."""
    if isinstance(node, list):
        return [_bare(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {key: _bare(value) for key, value in node.items() if not (key == "description" and isinstance(value, str))}
