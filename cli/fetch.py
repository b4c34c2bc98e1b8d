"""`make fetch FROM=claim/path TO=path`: a file or a folder out of a claim, onto this box."""

import io
import secrets
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Final

from cli.claims import MOUNTED, mounted
from cli.errors import CommandFailed, make
from cli.kubectl import Kubectl, cluster
from stacks import settings
from stacks.platform.manifests import CLAIMS
from tools import screen
from workloads.inference.receive import ReceiveError, unpack

STAY: Final = ("sleep", "21600")
"""What the pod does meanwhile: some hours, of a fetch that was killed."""
BUFFER_BYTES: Final = 1 << 20


def fetch(stack: str, source: str, target: Path) -> None:
    """Copy it, and say what came. What is there already is never overwritten. Raises CommandFailed, SettingsError."""
    claim, path = parsed(source)
    target = target.expanduser().absolute()
    if target.exists():
        raise CommandFailed(f"TO={target}: expected nothing there yet, found something; say another TO=…")
    found = settings.platform(stack)
    kubectl, started = cluster(stack, found), time.monotonic()
    pod = f"fetch-{claim}-{secrets.token_hex(3)}"
    with mounted(kubectl, found.namespace, claim, pod, STAY, make("up", stack)):
        sizes = _sizes(kubectl, found.namespace, pod, path)
        _bring(kubectl, found.namespace, pod, path, sizes, target)
    screen.line("")
    print(f"fetched  {target}: {screen.amount(len(sizes), sum(sizes))}, {time.monotonic() - started:.0f} s")


def parsed(source: str) -> tuple[str, PurePosixPath]:
    """The claim, and the path in it. Raises CommandFailed."""
    claim, _, rest = source.removeprefix("pvc://").partition("/")
    path = PurePosixPath(rest)
    if claim not in CLAIMS or not path.name or path.is_absolute() or ".." in path.parts:
        raise CommandFailed(
            f"FROM={source}: expected CLAIM/PATH, with one of the claims {', '.join(CLAIMS)} and a path in it"
        )
    return claim, path


def _sizes(kubectl: Kubectl, namespace: str, pod: str, path: PurePosixPath) -> list[int]:
    """Of all files in it, in bytes."""
    place = f"{MOUNTED}/{path}"
    try:
        listed = kubectl.run("-n", namespace, "exec", pod, "--", "find", "-L", place, "-type", "f", "-printf", r"%s\n")
    except CommandFailed as error:
        raise CommandFailed(f"FROM: expected {path} in the claim, but: {error}") from None
    return [int(size) for size in listed.split()]


def _bring(kubectl: Kubectl, namespace: str, pod: str, path: PurePosixPath, sizes: list[int], target: Path) -> None:
    """It appears under its name once all of it has come."""
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ("tar", "-C", f"{MOUNTED}/{path.parent}", "--dereference", "-cf", "-", "--", path.name)
    total, bar = sum(sizes), screen.Percent(f"fetch  {path.name}")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as landing:
        folder = Path(landing) / "part"
        try:
            with kubectl.stream("-n", namespace, "exec", pod, "--", *command) as pipe:
                counted = _Counted(pipe, lambda came: bar.show("fetch", min(100, 100 * came // max(1, total))))
                with tarfile.open(fileobj=counted, mode="r|", bufsize=BUFFER_BYTES) as archive:
                    unpack(archive, folder)
        except (ReceiveError, tarfile.TarError) as error:
            raise CommandFailed(f"FROM: {error}") from None
        came = sorted(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        if came != sorted(sizes):
            raise CommandFailed(
                f"FROM: expected {len(sizes)} files, {total} bytes, but {len(came)}, {sum(came)} bytes, came: is it"
                " still being written? Run it again"
            )
        (folder / path.name).rename(target)


class _Counted(io.RawIOBase):
    """A stream that tells how many bytes of it were read."""

    def __init__(self, stream: IO[bytes], tell: Callable[[int], object]) -> None:
        self._stream, self._tell, self._read = stream, tell, 0

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(size)
        self._read += len(chunk)
        self._tell(self._read)
        return chunk
