"""The one table of third-party commands: what version, and where it comes from.

To move a version: change it here and in `go/<module>/go.mod`, run `go mod tidy` there, then `make test`
(a unit test holds the two together). With JobSet's move the sums of its manifests.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Release:
    """An official download.

    `url`, `checksum_url`, `member` and `beside` may hold {version}, {arch} (Go's names: amd64, arm64),
    {node_arch} (Node's names: x64, arm64) and {goreleaser_arch} (as many projects write them: x86_64, arm64).
    """

    url: str
    checksum_url: str
    """A file of sha256 or sha512 sums: either the bare sum of `url`, or lines of `sum  file name`."""
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
    tags: str = ""
    cgo: bool = False
    """Whether it needs the C compiler and the packages of `BUILD_PACKAGES`."""


@dataclass(frozen=True)
class Tool:
    """A command, its pinned version, and the ways to get it where the machine has none."""

    name: str
    version: str
    version_arguments: tuple[str, ...] | None
    """What makes the command print its version; one found on the machine is used only if it prints this one. None: it
    never says."""
    release: Release | None
    """None: there is none."""
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


def _containerd(name: str, version_arguments: tuple[str, ...] = ("--version",)) -> Tool:
    url = (
        "https://github.com/containerd/containerd/releases/download/v{version}/"
        "containerd-static-{version}-linux-{arch}.tar.gz"
    )
    package = "github.com/containerd/containerd/v2"
    return Tool(
        name=name,
        version="2.3.7",
        version_arguments=version_arguments,
        release=Release(url, url + ".sha256sum", member=f"bin/{name}"),
        module=GoModule("containerd", f"{package}/cmd/{name}", ldflags=f"-X {package}/version.Version=v{{version}}"),
    )


def _cni(name: str, folder: str) -> Tool:
    url = (
        "https://github.com/containernetworking/plugins/releases/download/v{version}/"
        "cni-plugins-linux-{arch}-v{version}.tgz"
    )
    package = "github.com/containernetworking/plugins"
    stamp = f"-X {package}/pkg/utils/buildversion.BuildVersion=v{{version}}"
    return Tool(
        name=name,
        version="1.9.1",
        version_arguments=(),
        release=Release(url, url + ".sha256", member=f"./{name}"),
        module=GoModule("cni", f"{package}/plugins/{folder}/{name}", ldflags=stamp),
    )


def _tailscale(name: str) -> Tool:
    url = "https://pkgs.tailscale.com/stable/tailscale_{version}_{arch}.tgz"
    package = "tailscale.com"
    stamp = " ".join(f"-X {package}/version.{field}={{version}}" for field in ("longStamp", "shortStamp"))
    return Tool(
        name=name,
        version="1.102.3",
        version_arguments=("--version",),
        release=Release(url, url + ".sha256", member=f"tailscale_{{version}}_{{arch}}/{name}"),
        module=GoModule("tailscale", f"{package}/cmd/{name}", ldflags=stamp),
    )


KUBERNETES_VERSION: Final = "1.36.3"
JOBSET_VERSION: Final = "0.12.0"
JOBSET_IMAGE: Final = f"registry.k8s.io/jobset/jobset:v{JOBSET_VERSION}"
"""Upstream's, which clusters pull where downloads are allowed: there is no release of the command alone."""
JOBSET_MANIFESTS: Final = {
    "crd/bases/jobset.x-k8s.io_jobsets.yaml": "d022b87624512cf0b6741b31b24a2bea9945b5a838b50713af29332c878bb6fe",
    "rbac/role.yaml": "e39e3224668b0cf865f1c36da3ace7995244d657a37385deadc33851d3cbc70b",
    "webhook/manifests.yaml": "cf9b784bb633344149413d805226fa918f9488b6cb57c3ce2c8af725d8d1e6b7",
}
"""Of config/components in its repository, with the sha256 that they have in that version: the kind, the controller's
rights, the webhooks."""
ETCD_VERSION: Final = "3.6.8"  # etcd's and CoreDNS's are those of `kubeadm config images list` for that Kubernetes
COREDNS_VERSION: Final = "1.14.2"
PULUMI_VERSION: Final = "3.259.0"  # of the CLI and, in pyproject.toml, of the SDK: one version of both
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
    _kubernetes("kube-scheduler"),
    _kubernetes("kube-proxy"),
    _kubernetes("kubelet"),
    _kubernetes("kubeadm", ("version", "--output=short")),
    Tool(
        name="coredns",
        version=COREDNS_VERSION,
        version_arguments=("-version",),
        release=Release(
            url="https://github.com/coredns/coredns/releases/download/v{version}/coredns_{version}_linux_{arch}.tgz",
            checksum_url="https://github.com/coredns/coredns/releases/download/v{version}/coredns_{version}_linux_{arch}.tgz.sha256",
            member="coredns",
        ),
        module=GoModule("coredns", "."),
    ),
    _containerd("containerd"),
    _containerd("containerd-shim-runc-v2", ("-v",)),
    _containerd("ctr"),
    Tool(
        name="runc",
        version="1.4.3",
        version_arguments=("--version",),
        release=Release(
            url="https://github.com/opencontainers/runc/releases/download/v{version}/runc.{arch}",
            checksum_url="https://github.com/opencontainers/runc/releases/download/v{version}/runc.sha256sum",
        ),
        module=GoModule(
            "runc",
            "github.com/opencontainers/runc",
            ldflags="-linkmode external -extldflags -static",
            tags="netgo,osusergo,seccomp",  # without seccomp it builds, and every pod fails
            cgo=True,
        ),
    ),
    _cni("bridge", "main"),
    _cni("host-local", "ipam"),
    _cni("loopback", "main"),
    _cni("portmap", "meta"),
)

JOBSET: Final = Tool(
    name="jobset",
    version=JOBSET_VERSION,
    version_arguments=None,
    release=None,
    module=GoModule(
        "jobset",
        "sigs.k8s.io/jobset",
        ldflags="-X sigs.k8s.io/jobset/pkg/version.GitVersion=v{version}",
    ),
)
"""Built only where its image can't be pulled."""

CADDY: Final = Tool(
    name="caddy",
    version="2.11.9",
    version_arguments=("version",),
    release=Release(
        url="https://github.com/caddyserver/caddy/releases/download/v{version}/caddy_{version}_linux_{arch}.tar.gz",
        checksum_url="https://github.com/caddyserver/caddy/releases/download/v{version}/caddy_{version}_checksums.txt",
        member="caddy",
    ),
    module=GoModule(
        "caddy",
        "github.com/caddyserver/caddy/v2/cmd/caddy",
        ldflags="-X github.com/caddyserver/caddy/v2.CustomVersion=v{version}",
    ),
)
"""Only for an ingress, in an image of ours: the official one wants rights that no pod of ours has."""

MESH_TOOLS: Final[tuple[Tool, ...]] = (
    _tailscale("tailscale"),
    _tailscale("tailscaled"),
)
"""Only for a cluster whose machines meet on a tailnet."""
CONTROL_TOOLS: Final[tuple[Tool, ...]] = (
    Tool(
        name="headscale",
        version="0.29.2",
        version_arguments=("version",),
        release=Release(
            url="https://github.com/juanfont/headscale/releases/download/v{version}/headscale_{version}_linux_{arch}",
            checksum_url="https://github.com/juanfont/headscale/releases/download/v{version}/checksums.txt",
        ),
        module=GoModule("headscale", "github.com/juanfont/headscale/cmd/headscale"),  # it prints its module's version
    ),
)
"""Only where that tailnet's control server is one of the cluster's own."""

TEST_TOOLS: Final[tuple[Tool, ...]] = (
    Tool(  # an S3 server over a folder
        name="versitygw",
        version="1.8.0",
        version_arguments=("--version",),
        release=Release(
            url="https://github.com/versity/versitygw/releases/download/v{version}/versitygw_v{version}_Linux_{goreleaser_arch}.tar.gz",
            checksum_url="https://github.com/versity/versitygw/releases/download/v{version}/checksums.txt",
            member="versitygw_v{version}_Linux_{goreleaser_arch}/versitygw",
        ),
        module=GoModule("versitygw", "github.com/versity/versitygw/cmd/versitygw", ldflags="-X main.Version={version}"),
    ),
)
"""What only the tests run: `make up` obtains none of them."""


ALL: Final = (*TOOLS, CADDY, *MESH_TOOLS, *CONTROL_TOOLS, *TEST_TOOLS)


def named(name: str) -> Tool:
    """The tool of that name. Raises StopIteration for one that is not in the table."""
    return next(tool for tool in ALL if tool.name == name)


# Commands and libraries that come from Debian's packages: (package, a file that proves it is there).
PACKAGES: Final[tuple[tuple[str, str], ...]] = (
    ("python3-venv", "/usr/lib/python3.11/ensurepip/__init__.py"),
    ("iproute2", "/usr/sbin/ip"),
    ("openssl", "/usr/bin/openssl"),
    ("util-linux", "/usr/bin/unshare"),
    ("debootstrap", "/usr/sbin/debootstrap"),
    ("zstd", "/usr/bin/zstd"),
    ("libpython3.11", "/usr/lib/{machine}-linux-gnu/libpython3.11.so.1.0"),
    ("systemd-container", "/usr/bin/systemd-nspawn"),
    ("nftables", "/usr/sbin/nft"),
    ("openssh-client", "/usr/bin/ssh"),
    ("catatonit", "/usr/bin/catatonit"),
)
# What the tests run that users have in an image.
TEST_PACKAGES: Final[tuple[tuple[str, str], ...]] = (
    ("openjdk-17-jre-headless", "/usr/bin/java"),
    ("skopeo", "/usr/bin/skopeo"),
)
# What the C parts of commands are built with, where commands are not downloaded.
BUILD_PACKAGES: Final[tuple[tuple[str, str], ...]] = (
    ("gcc", "/usr/bin/gcc"),
    ("libc6-dev", "/usr/include/stdlib.h"),
    ("libseccomp-dev", "/usr/include/seccomp.h"),
    ("pkg-config", "/usr/bin/pkg-config"),
)
