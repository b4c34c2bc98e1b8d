"""The digest of a model folder: what a `pvc://` source may pin. Standard library only.

The manifest is what `sha256sum` prints for all files of the folder, by relative path in byte order; the digest is the
sha256 of that. So it can be made with Homespun or without:

    python3 -m workloads.inference.manifest folder
    cd folder && find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum
"""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

from workloads.edge.digests import sha256_of


def digest(sums: Mapping[str, str]) -> str:
    """`sha256:<hex>` of a folder, from the sha256 (hex) of each file by its relative path with `/`."""
    lines = [f"{sums[path]}  {path}\n" for path in sorted(sums, key=str.encode)]
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def folder_digest(folder: Path) -> str:
    """`sha256:<hex>` of a folder on disk."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return digest({path.relative_to(folder).as_posix(): sha256_of(path) for path in files})


if __name__ == "__main__":
    print(folder_digest(Path(sys.argv[1])))
