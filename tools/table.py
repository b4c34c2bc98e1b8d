"""The one table of third-party commands: what version, and where it comes from.

To move a version: change it here and in `go/<module>/go.mod`, run `go mod tidy` there, then `make test`
(a unit test holds the two together).
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Release:
    """An official download.

    `url`, `checksum_url`, `member` and `beside` may hold {version}, {arch} (Go's names: amd64, arm64) and
    {node_arch} (Node's names: x64, arm64).
    """

    url: str
    checksum_url: str
    """A file of sha256 sums: either the bare sum of `url`, or lines of `sum  file name`."""
    member: str | None = None
    """Path inside the archive, for a .tar.gz; None where the download is the command itself."""
    beside: tuple[str, ...] = ()
    """Paths of further commands inside the archive, which the command wants to find beside it."""


@dataclass(frozen=True)
class GoModule:
    """How to build the command from its Go module: `go build package` in the folder `tools/go/<folder>`."""

    folder: str
    package: str
    ldflags: str = ""
    """Added to `-s -w`; may hold {version}, {major} and {minor}."""


@dataclass(frozen=True)
class Tool:
    """A command, its pinned version, and the two ways to get it where the machine has none."""

    name: str
    version: str
    version_arguments: tuple[str, ...]
    """What makes the command print its version; one found on the machine is used only if it prints this one."""
    release: Release
    module: GoModule


def _kubernetes(name: str, version_arguments: tuple[str, ...] = ("--version",)) -> Tool:
    url = f"https://dl.k8s.io/v{{version}}/bin/linux/{{arch}}/{name}"
    stamp = " ".join(
        f"-X {package}.{field}={value}"
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for field, value in (("gitVersion", "v{version}"), ("gitMajor", "{major}"), ("gitMinor", "{minor}"))
    )
    return Tool(
        name=name,
        version=KUBERNETES_VERSION,
        version_arguments=version_arguments,
        release=Release(url=url, checksum_url=url + ".sha256"),
        module=GoModule("kubernetes", f"k8s.io/kubernetes/cmd/{name}", ldflags=stamp),
    )


KUBERNETES_VERSION: Final = "1.36.3"
ETCD_VERSION: Final = "3.6.8"  # what `kubeadm config images list` names for that Kubernetes
PULUMI_VERSION: Final = "3.259.0"  # the newest whose Go module can be had; `pulumi` in pyproject.toml is the same
PULUMI_COMPANIONS: Final = (
    "pulumi-language-python",
    "pulumi-language-python-exec",
    "pulumi-resource-pulumi-python",
)
"""What the CLI starts for programs and dynamic providers in Python; its Go module holds none of them (tools/pulumi)."""

TOOLS: Final[tuple[Tool, ...]] = (
    Tool(
        name="etcd",
        version=ETCD_VERSION,
        version_arguments=("--version",),
        release=Release(
            url="https://github.com/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-linux-{arch}.tar.gz",
            checksum_url="https://github.com/etcd-io/etcd/releases/download/v{version}/SHA256SUMS",
            member="etcd-v{version}-linux-{arch}/etcd",
        ),
        module=GoModule("etcd", "go.etcd.io/etcd/server/v3"),
    ),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kubectl", ("version", "--client")),
    Tool(
        name="pulumi",
        version=PULUMI_VERSION,
        version_arguments=("version",),
        release=Release(
            url="https://github.com/pulumi/pulumi/releases/download/v{version}/pulumi-v{version}-linux-{node_arch}.tar.gz",
            checksum_url="https://github.com/pulumi/pulumi/releases/download/v{version}/pulumi-{version}-checksums.txt",
            member="pulumi/pulumi",
            beside=tuple(f"pulumi/{name}" for name in PULUMI_COMPANIONS),
        ),
        module=GoModule(
            "pulumi",
            "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
            ldflags="-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}",
        ),
    ),
)

# Commands and libraries that come from Debian's packages: (package, a file that proves it is there).
PACKAGES: Final[tuple[tuple[str, str], ...]] = (
    ("iproute2", "/usr/sbin/ip"),
    ("openssl", "/usr/bin/openssl"),
    ("util-linux", "/usr/bin/unshare"),
    ("debootstrap", "/usr/sbin/debootstrap"),
    ("buildah", "/usr/bin/buildah"),
    ("libpython3.11", "/usr/lib/{machine}-linux-gnu/libpython3.11.so.1.0"),
)
