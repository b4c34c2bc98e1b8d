"""What the facts' script prints on a few machines."""

DEBIAN_V2 = """\
os=debian
os_version=12
kernel=6.1.0-30-amd64
architecture=x86_64
cpus=8
memory_kib=32768000
page_size=4096
cgroup_version=2
capabilities=000001ffffffffff
container=none
init=systemd
cpu_flag=avx2
loadable_module=overlay
loadable_module=br_netfilter
command=dockerd
command=containerd
resolv_conf=/run/systemd/resolve/resolv.conf
free_kib=104857600
network=192.168.1.0/24
network=172.17.0.0/16
python=yes
end=yes
"""
LAB_V1 = """\
os=debian
os_version=12
kernel=6.18.44
architecture=aarch64
cpus=2
memory_kib=25000000
page_size=16384
cgroup_version=1
capabilities=000001fffeffffff
container=systemd-nspawn
init=systemd
gpu=nvidia
free_kib=52428800
python=yes
end=yes
"""
