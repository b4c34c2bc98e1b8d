"""What a machine ought to be: a pure function of its role, its facts and its cluster, whose value Ansible carries out.

All of it stands in a prefix of our own (`homespun.hosts.layout`), with a container runtime of our own (socket, root,
cgroup, units), so that a Docker or containerd that is there already is neither used nor disturbed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

from homespun.hosts import headscale, mesh, names, paths, share, ways
from homespun.hosts.cluster import Cluster, Member, Mesh
from homespun.hosts.facts import STATE_FILE, Facts
from homespun.hosts.files import Artifact, File, binary, text, unit
from homespun.hosts.layout import (
    AUDIT_LOG_FOLDER,
    AUDIT_POLICY,
    BRIDGE,
    DATA,
    EGRESS_TABLE,
    MODELS,
    PATCHES,
    PREFIX,
    ROOT,
    RUN,
    SOCKET,
    VECTORS,
)

CONTROL_PLANE_IMAGES: Final = frozenset({"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"})
PACKAGES: Final = ("nftables", "iptables", "conntrack", "curl", "ethtool", "socat", "openssl")
"""What kubeadm, kube-proxy and we want from the distribution."""
RUNTIME_BINARIES: Final = ("containerd", "containerd-shim-runc-v2", "ctr", "runc")
KUBERNETES_BINARIES: Final = ("kubeadm", "kubelet")
CNI_PLUGINS: Final = ("bridge", "host-local", "loopback", "portmap")


@dataclass(frozen=True)
class Image:
    """A container image on the controller: an OCI archive."""

    reference: str
    digest: str
    """Of its manifest: `sha256:…`."""
    archive: Artifact

    @property
    def name(self) -> str:
        """The last word of its reference, without the tag."""
        return self.reference.rpartition("/")[2].partition(":")[0]


@dataclass(frozen=True)
class HostState:
    """All that ought to be on a machine. Compared as values; what differs is what an update changes."""

    packages: tuple[str, ...]
    modules: tuple[str, ...]
    folders: tuple[str, ...]
    volumes: tuple[str, ...]
    """Folders behind claims: made where they are missing, and from then on the cluster's."""
    files: tuple[File, ...]
    units: tuple[str, ...]
    """In the order in which they start; their files are among `files`."""
    images: tuple[Image, ...]
    hosts: tuple[tuple[str, str], ...]
    """Lines of /etc/hosts: address, name."""

    def digests(self) -> dict[str, str]:
        """One word for each thing that can differ: what a preview names. Path, unit, package or image → its digest."""
        return {
            **{f"package {name}": "installed" for name in self.packages},
            **{f"module {name}": "loaded" for name in self.modules},
            **{f"volume {path}": "there" for path in self.volumes},
            **{f"file {file.path}": f"{file.mode} {file.sha256}" for file in self.files},
            **{f"unit {name}": "started" for name in self.units},
            **{f"image {image.reference}": image.digest for image in self.images},
            **{f"host {name}": address for address, name in self.hosts},
        }


def desired(
    member: Member,
    others: tuple[Member, ...],
    facts: Facts,
    cluster: Cluster,
    joined: Mesh | None,
    artifacts: Mapping[str, Artifact],
    images: tuple[Image, ...],
) -> HostState:
    """The state of a machine that is `member` of a cluster, beside `others`; `joined` is what joins its sites."""
    binaries = (*RUNTIME_BINARIES, *KUBERNETES_BINARIES)
    containerd, kubelet, egress = "homespun-containerd.service", "kubelet.service", "homespun-egress.service"
    restarts = dict.fromkeys(RUNTIME_BINARIES, (containerd,)) | {"kubelet": (kubelet,)}
    elsewhere = joined and any(not other.shares_lan(member) for other in others)
    sandbox = next(image.reference for image in images if "/pause:" in image.reference)
    files = [
        *(binary(f"{PREFIX}/bin/{name}", artifacts[name], restarts.get(name, ())) for name in binaries),
        *(binary(f"{PREFIX}/cni/{name}", artifacts[name]) for name in CNI_PLUGINS),
        text(f"{PREFIX}/etc/containerd.toml", containerd_config(facts, sandbox), restarts=(containerd,)),
        text(f"{PREFIX}/etc/cni/10-homespun.conflist", cni_config(member.pods, mesh.MTU if joined else None)),
        text(f"{PREFIX}/etc/egress.nft", egress_rules(cluster.pod_range), restarts=(egress,)),
        text(f"{PATCHES}/kubeletconfiguration0+merge.json", kubelet_patch(facts)),
        text("/etc/sysctl.d/60-homespun.conf", SYSCTLS),
        unit(containerd, CONTAINERD_UNIT),
        unit(kubelet, KUBELET_UNIT),
        unit(egress, EGRESS_UNIT),
        *ways.files(member, others, joined),
        *(mesh.files(member, joined, facts, artifacts) if joined else ()),
        *(paths.files(member, others, cluster) if elsewhere else ()),
    ]
    control = joined if joined and joined.is_served_by(member) else None
    if control:
        files += headscale.files(member, control, artifacts)
    named = joined if joined and joined.domain and member.role == "control-plane" else None
    if named:
        files += names.files(member, named, artifacts)
    if facts.loadable_modules:
        files.append(text("/etc/modules-load.d/homespun.conf", "".join(f"{name}\n" for name in facts.loadable_modules)))
    near = [other for other in others if other.shares_lan(member)]
    shows = member.role == "control-plane" and bool(near)
    sees = any(other.role == "control-plane" for other in near)
    files += [*(share.server_files(cluster) if shows else ()), *(share.client_files(cluster) if sees else ())]
    if member.role == "control-plane":
        files.append(text(AUDIT_POLICY, AUDIT_RULES))
    else:
        images = tuple(image for image in images if image.name not in CONTROL_PLANE_IMAGES)
    # Last, for it says that all of this is ours.
    files.append(text(STATE_FILE, json.dumps({"cluster": cluster.name, "role": member.role}) + "\n"))
    folders = (f"{PREFIX}/bin", f"{PREFIX}/cni", f"{PREFIX}/etc/cni", PATCHES, ROOT, AUDIT_LOG_FOLDER)
    return HostState(
        packages=(*PACKAGES, *(share.PACKAGES if sees else ())),
        modules=facts.loadable_modules,
        folders=(
            *folders,
            *((f"{PREFIX}/etc/mesh",) if joined else ()),
            *(share.FOLDERS if shows else ()),
        ),
        volumes=(MODELS, VECTORS, DATA) if member.role == "control-plane" else (),
        files=tuple(files),
        units=(
            egress,
            *((headscale.UNIT,) if control else ()),
            *(mesh.UNITS if joined else ()),
            *((names.UNIT,) if named else ()),
            ways.TIMER,
            *((share.SERVER_UNIT,) if shows else ()),
            *((share.CLIENT_UNIT,) if sees else ()),
            containerd,
            kubelet,
            *((paths.UNIT,) if elsewhere else ()),
        ),
        images=images,
        hosts=((cluster.endpoint_address, cluster.endpoint),),
    )


def containerd_config(facts: Facts, sandbox: str) -> str:
    """containerd's config.toml, version 4."""
    systemd_cgroup = "true" if facts.cgroup_version == 2 else "false"
    # Without CAP_SYS_RESOURCE runc can't lower an OOM score, and dies with `can't get final child's PID from pipe`.
    restrict = "false" if facts.may_lower_oom_score else "true"
    return f"""\
version = 4
root = "{ROOT}/containerd"
state = "{RUN}/containerd"

[plugins.'io.containerd.server.v1.grpc']
address = "{SOCKET}"

[plugins.'io.containerd.server.v1.ttrpc']
address = "{SOCKET}.ttrpc"

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = {restrict}

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{PREFIX}/cni"]
conf_dir = "{PREFIX}/etc/cni"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = "{PREFIX}/bin/runc"
Root = "{RUN}/runc"
SystemdCgroup = {systemd_cgroup}

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{sandbox}"

[plugins.'io.containerd.internal.v1.opt']
path = "{ROOT}/containerd-opt"

# Its socket has a fixed place, which another containerd may hold.
[plugins.'io.containerd.nri.v1.nri']
disable = true
"""


def cni_config(pod_range: IPv4Network, mtu: int | None) -> str:
    """A CNI configuration list: a bridge a machine; leases on /run, so that a reboot frees them."""
    plugins = [
        {
            "type": "bridge",
            "bridge": BRIDGE,
            **({"mtu": mtu} if mtu else {}),
            "isGateway": True,
            "ipMasq": False,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "dataDir": f"{RUN}/cni",
                "ranges": [[{"subnet": str(pod_range)}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "1.0.0", "name": "homespun", "plugins": plugins}, indent=2) + "\n"


def egress_rules(pods: IPv4Network) -> str:
    """nftables: pods leave the cluster under their machine's address; on the mesh they keep their own."""
    return f"""\
table ip {EGRESS_TABLE}
delete table ip {EGRESS_TABLE}
table ip {EGRESS_TABLE} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {pods} ip daddr != {pods} oifname != {{ "{BRIDGE}", "{mesh.INTERFACE}" }} masquerade
    }}
}}
"""


def kubelet_patch(facts: Facts) -> str:
    """What of the kubelet's configuration follows from this machine: a merge patch for kubeadm (`--patches`)."""
    patch: dict[str, object] = {
        "cgroupDriver": "systemd" if facts.cgroup_version == 2 else "cgroupfs",
        "failCgroupV1": facts.cgroup_version != 1,
        "resolvConf": facts.resolv_conf,
    }
    if facts.container:  # its root is no device of its own that could be measured
        patch["localStorageCapacityIsolation"] = False
    return json.dumps(patch, indent=2) + "\n"


SYSCTLS: Final = """\
net.ipv4.ip_forward = 1
net.bridge.bridge-nf-call-iptables = 1
"""
AUDIT_RULES: Final = """\
# Who did what to which object; never its content.
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"]
- level: None
  userGroups: ["system:nodes"]
  verbs: [get, list, watch, update, patch]
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*"]
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: Metadata
"""
CONTAINERD_UNIT: Final = f"""\
[Unit]
Description=Container runtime of Homespun
After=network.target
[Service]
Type=notify
Environment=PATH={PREFIX}/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart={PREFIX}/bin/containerd --config {PREFIX}/etc/containerd.toml
Slice=homespun.slice
Delegate=yes
KillMode=process
Restart=always
RestartSec=2
LimitNOFILE=1048576
TasksMax=infinity
[Install]
WantedBy=multi-user.target
"""
KUBELET_UNIT: Final = f"""\
[Unit]
Description=Kubelet of Homespun
Wants=network-online.target homespun-containerd.service
After=network-online.target homespun-containerd.service
# kubeadm writes it, and starts the unit then.
ConditionPathExists=/var/lib/kubelet/config.yaml
[Service]
Environment=PATH={PREFIX}/bin:/usr/sbin:/usr/bin:/sbin:/bin
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart={PREFIX}/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
--kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
Slice=homespun.slice
Restart=always
RestartSec=2
[Install]
WantedBy=multi-user.target
"""
EGRESS_UNIT: Final = f"""\
[Unit]
Description=Way out for the pods of Homespun
After=network-pre.target nftables.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {PREFIX}/etc/egress.nft
ExecStop=/usr/sbin/nft delete table ip {EGRESS_TABLE}
[Install]
WantedBy=multi-user.target
"""
