"""Where models come from: a folder on a claim (`pvc://`), a repository on a hub (`hf://`).

A fetch fills `<landing>/weights` and verifies it. It may be repeated after any interruption; whoever called it moves
the landing to its place only after it has returned. One exception a `Failure` of config.py, all of them SourceError.
"""

import hashlib
import logging
import os
import shutil
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Final

from workloads.edge.digests import sha256_of
from workloads.inference import manifest
from workloads.inference.config import Failure, Revision

NEEDED: Final = ("*.json", "model.onnx*", "onnx/model.onnx*")
"""The files that the backend reads; weights beside model.onnx are model.onnx_data or model.onnx.data, by its exporter.
A hub's repository holds the same weights in half a dozen other forms."""

log = logging.getLogger(__name__)

CHUNK_BYTES: Final = 256 * 1024
"""The hub's library keeps what came in whole chunks when a connection breaks; its own 10 MiB lose a lot at home."""


class SourceError(Exception):
    """A source can't be had; the message says what is wrong and what to do, and names no path of the server's."""

    failure: ClassVar[Failure] = Failure.FETCH_FAILED


class SourceNotFound(SourceError):
    """There is no such claim, folder, repository or commit."""

    failure = Failure.SOURCE_NOT_FOUND


class AccessDenied(SourceError):
    """It may exist, but not for us."""

    failure = Failure.ACCESS_DENIED


class FetchFailed(SourceError):
    """It was cut off, or there is no room; trying again may help."""

    failure = Failure.FETCH_FAILED


class DigestMismatch(SourceError):
    """What is there is not what was declared."""

    failure = Failure.DIGEST_MISMATCH


class InvalidSource(SourceError):
    """What is there can't be a model."""

    failure = Failure.INVALID_MODEL


def fetch(revision: Revision, landing: Path, claims: Path, token: str | None) -> None:
    """Fill `landing/weights` with the revision and verify it. Blocks; raises SourceError.

    `claims` holds the mounted claims by name; `token` is for a private repository.
    """
    scheme, _, rest = revision.uri.partition("://")
    weights = landing / "weights"
    try:
        if scheme == "pvc":
            _fetch_claim(rest, revision.expected, weights, claims)
        elif scheme == "hf":
            _fetch_hub(rest, revision.expected, weights, token)
        else:
            raise InvalidSource(f"source {revision.uri}: expected pvc:// or hf://")
    except OSError as error:
        raise FetchFailed(
            f"source {revision.uri}: {os.strerror(error.errno) if error.errno else 'I/O error'}"
        ) from error


def needed(path: str) -> bool:
    """Whether the backend reads this file of a model's folder."""
    return any(fnmatchcase(path, pattern) for pattern in NEEDED)


def claim_folder(rest: str, claims: Path) -> Path:
    """The folder that `claim/path` names. Raises SourceNotFound, and InvalidSource for one that leads out of it."""
    name, *parts = rest.split("/")
    if not name or any(part in ("", ".", "..") for part in (name, *parts)):
        raise InvalidSource(f"source pvc://{rest}: expected pvc://claim/folder, without empty parts, . or ..")
    claim = claims / name
    if not claim.is_dir():
        raise SourceNotFound(
            f"source pvc://{rest}: there is no claim {name} in this namespace (`kubectl get pvc`), or not yet mounted"
        )
    folder = claim.joinpath(*parts)
    _within(folder, claim, rest)
    if not folder.is_dir():
        raise SourceNotFound(
            f"source pvc://{rest}: there is no folder {'/'.join(parts) or '/'} on claim {name};"
            " `make model FROM=…` copies one to the claim models"
        )
    return folder


def _within(path: Path, claim: Path, rest: str) -> None:
    if not path.resolve().is_relative_to(claim.resolve()):
        raise InvalidSource(f"source pvc://{rest}: {path.relative_to(claim)} is a link that leads out of the claim")


def _fetch_claim(rest: str, expected: str, weights: Path, claims: Path) -> None:
    folder = claim_folder(rest, claims)
    claim = claims / rest.split("/", maxsplit=1)[0]
    shutil.rmtree(weights, ignore_errors=True)
    weights.mkdir(parents=True)
    sums = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            _within(path, claim, rest)
            if path.is_dir():
                raise InvalidSource(f"source pvc://{rest}: {name} is a link to a folder: put the folder itself there")
        if path.is_dir():
            continue
        if not path.is_file():
            raise InvalidSource(f"source pvc://{rest}: {name}: expected a file, got something else")
        if needed(name):
            (weights / name).parent.mkdir(parents=True, exist_ok=True)
            # What is verified is the copy: the claim may change while we read.
            shutil.copyfile(path, weights / name)
            sums[name] = sha256_of(weights / name)
        elif expected:
            sums[name] = sha256_of(path)
    if expected and (found := manifest.digest(sums)) != expected:
        raise DigestMismatch(f"source pvc://{rest}: expected {expected}, found {found}")
    _refuse_empty(weights, f"pvc://{rest}")


def _fetch_hub(name: str, commit: str, weights: Path, token: str | None) -> None:
    # Imported at the first use: it takes a third of a second, and pvc:// needs none of it.
    from huggingface_hub import HfApi, constants, hf_hub_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415

    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    uri = f"hf://{name}"
    try:
        info = HfApi(token=token or False).model_info(name, revision=commit, files_metadata=True)
        if info.sha != commit:
            raise DigestMismatch(f"source {uri}: expected commit {commit}, found {info.sha}")
        files = [file for file in info.siblings or [] if needed(file.rfilename)]
        for file in files:
            _refuse_outside(file.rfilename, uri)
        for file in files:  # what an earlier try began goes on where it was cut off
            hf_hub_download(name, file.rfilename, revision=commit, local_dir=weights, token=token or False)
    except HfHubHTTPError as error:
        raise _refused(uri, commit, error.response.status_code, token) from error
    except HFValidationError as error:
        raise InvalidSource(f"source {uri}: expected hf://organisation/name") from error
    except SourceError:
        raise
    except OSError:
        raise
    except Exception as error:  # of httpx2 or httpx, by the library's version; of its own, without a common root
        raise FetchFailed(f"source {uri}: the hub broke off or does not answer: {type(error).__name__}") from error
    # The library is content with what an earlier try left, and does not look into what it downloads.
    for file in files:
        _verify(weights / file.rfilename, file, uri)
    shutil.rmtree(weights / ".cache", ignore_errors=True)
    wanted = {file.rfilename for file in files}
    for path in weights.rglob("*"):
        if path.is_file() and path.relative_to(weights).as_posix() not in wanted:
            path.unlink()
    _refuse_empty(weights, uri)


def _refused(uri: str, commit: str, status: int, token: str | None) -> SourceError:
    if status in (401, 403):
        who = "with the given token" if token else "without a token: name one in spec.source.tokenSecretRef"
        return AccessDenied(f"source {uri}: the hub refuses it ({status}) {who}")
    if status == 404:
        return SourceNotFound(f"source {uri}: the hub knows no such repository or commit {commit}")
    return FetchFailed(f"source {uri}: the hub answered {status}")


def _refuse_outside(path: str, uri: str) -> None:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise InvalidSource(f"source {uri}: the hub names a file outside the repository")


def _verify(path: Path, file: Any, uri: str) -> None:
    """Hold a file against what the hub says of it: sha256 for a large one, the git blob id for a small one."""
    if not path.is_file():
        raise FetchFailed(f"source {uri}: {file.rfilename} has not arrived yet")
    if file.lfs:
        expected, found = str(file.lfs.sha256), sha256_of(path)
    elif file.blob_id:
        content = path.read_bytes()
        expected = str(file.blob_id)
        found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    else:
        return
    if found != expected:
        path.unlink()  # the next try fetches it anew
        raise DigestMismatch(f"source {uri}: {file.rfilename}: expected {expected}, found {found}")


def _refuse_empty(weights: Path, uri: str) -> None:
    if not any(needed(path.relative_to(weights).as_posix()) for path in weights.rglob("*") if path.is_file()):
        raise InvalidSource(f"source {uri}: expected {', '.join(NEEDED)}, found none of them")
