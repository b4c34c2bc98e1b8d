"""`python -m workloads.inference.receive NAME DIGEST`: a folder from a tar on standard input into a claim.

Runs for a moment in a pod of its own that mounts the claim. What comes is put beside, verified against DIGEST
(`workloads.inference.manifest`), and only then takes the name: a copy that breaks off changes nothing.
"""

import argparse
import os
import shutil
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import Final

from workloads.inference import manifest

OTHER_CONTENT: Final = "found one with other content"
"""Said where a folder of the name is there that is another."""


class ReceiveError(Exception):
    """The folder did not come whole, or there is no room; the claim is as before."""


def receive(archive: tarfile.TarFile, claim: Path, name: str, digest: str, replace: bool) -> None:
    """Unpack `archive` as the folder `name` of the claim. Raises ReceiveError.

    One with other content that is there is refused, unless `replace`. The old folder goes only once the new one has its
    name; what a killed copy left is undone first.
    """
    target, landing, gone = claim / name, claim / f".{name}.part", claim / f".{name}.gone"
    try:
        _recover(target, landing, gone)
        unpack(archive, landing)
        if (found := manifest.folder_digest(landing)) != digest:
            raise ReceiveError(f"{name}: expected {digest}, found {found}: not all of it came")
        if target.exists():
            if manifest.folder_digest(target) == digest:
                return
            if not replace:
                raise ReceiveError(
                    f"{name}: expected no folder of that name, {OTHER_CONTENT}, that may be in use; take another NAME,"
                    " or say REPLACE=1"
                )
            target.rename(gone)
        landing.rename(target)
    except (tarfile.TarError, OSError) as error:
        raise ReceiveError(f"{name}: {error}") from error
    finally:
        _recover(target, landing, gone)


def _recover(target: Path, landing: Path, gone: Path) -> None:
    if gone.exists() and not target.exists():
        gone.rename(target)
    for left in (landing, gone):
        shutil.rmtree(left, ignore_errors=True)


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Folders and plain files, by paths that stay within, into a folder that is made. Raises ReceiveError.

    Debian 12's tarfile has no `filter` that would see to it.
    """
    folder.mkdir()
    for member in archive:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
            raise ReceiveError(f"{member.name}: expected a plain file or a folder within, found something else")
        if member.isdir():
            (folder / path).mkdir(parents=True, exist_ok=True)
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        content = archive.extractfile(member)
        assert content is not None
        with (folder / path).open("wb") as out:
            shutil.copyfileobj(content, out)
            out.flush()
            os.fsync(out.fileno())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workloads.inference.receive", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the folder")
    parser.add_argument("digest", help="of the whole folder, sha256:<hex>")
    parser.add_argument("--replace", action="store_true", help="a folder of that name with other content")
    parser.add_argument("--claim", type=Path, default=Path("/claim"), help="where the claim is mounted")
    arguments = parser.parse_args()
    try:
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
            receive(archive, arguments.claim, arguments.name, arguments.digest, arguments.replace)
    except (ReceiveError, tarfile.TarError) as error:
        print(error)
        return 1
    print("received")
    return 0


if __name__ == "__main__":
    sys.exit(main())
