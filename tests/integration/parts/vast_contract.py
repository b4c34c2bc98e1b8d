"""What vast.ai documents of the endpoints that we and its own client call; requests and answers are held to it.

Written anew, from vast-ai/docs `api-reference/openapi/yaml/*.yaml`, as that repository names no licence. What its own
client (vastai 1.9.1) sends beyond that is marked.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

OPERATORS: Final = frozenset({"eq", "neq", "gt", "lt", "gte", "lte", "in", "notin"})
OFFER_FILTERS: Final = frozenset({
    "verified", "rentable", "rented", "gpu_name", "reliability", "has_sla", "expected_reliability", "num_gpus",
    "gpu_ram", "duration", "machine_id", "dlperf_per_dphtotal", "dph_total", "flops_per_dphtotal",
    "geolocation", "gpu_arch", "dlperf", "cuda_max_good", "inet_down", "inet_up", "inet_down_cost",
    "inet_up_cost", "driver_version", "compute_cap", "cpu_arch", "has_avx", "cpu_cores", "cpu_cores_effective",
    "cpu_ghz", "cpu_ram", "datacenter", "external", "disk_bw", "disk_space", "bw_nvlink", "gpu_max_power",
    "gpu_max_temp", "gpu_mem_bw", "gpu_total_ram", "gpu_frac", "gpu_display_active", "direct_port_count",
    "host_id", "id", "min_bid", "mobo_name", "pci_gen", "pcie_bw", "storage_cost", "static_ip", "total_flops",
    "os_version", "ubuntu_version", "verification", "vms_enabled",
})  # fmt: skip
INSTANCE_FILTERS: Final = frozenset(
    {"actual_status", "gpu_name", "verification", "id", "label", "machine_id", "host_id"}
)
"""Columns that stand on the contract; those that are computed, dph_total and num_gpus, are refused."""


class Documented(BaseModel):
    """No field that is not documented, and none of another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Search(Documented):
    """POST /api/v0/bundles/, what is not a filter. hello-world.mdx and the client write "on-demand"."""

    limit: int | None = None
    type: Literal["ondemand", "on-demand", "bid", "reserved"] = "ondemand"
    order: list[tuple[str, Literal["asc", "desc"]]] = []
    allocated_storage: float = 8


class Rent(Documented):
    """PUT /api/v0/asks/{id}/."""

    image: str = Field(min_length=1, max_length=1024)
    disk: float = Field(default=8, ge=8)
    label: str | None = Field(default=None, max_length=256)
    runtype: (
        Literal["ssh", "jupyter", "args", "ssh_proxy", "ssh_direct", "jupyter_proxy", "jupyter_direct"]
        | Literal["ssh_direc ssh_proxy", "jupyter_direc ssh_direc ssh_proxy", "jupyter_proxy ssh_proxy"]  # the client's
    ) = "ssh"
    target_state: Literal["running", "stopped"] = "running"
    price: float | None = Field(default=None, ge=0.001, le=128)
    env: dict[str, Annotated[str, Field(max_length=256)]] | str = {}
    cancel_unavail: bool | None = None
    vm: bool = False
    onstart: str | None = Field(default=None, max_length=4048)
    args: list[str] | None = None
    args_str: str | None = None
    use_jupyter_lab: bool = False
    jupyter_dir: str | None = None
    python_utf8: bool = False
    lang_utf8: bool = False
    force: bool = False
    user: str | None = None
    image_login: str | None = None
    template_hash_id: str | None = None
    client_id: Literal["me"] | None = None  # the client's
    extra: str | None = None  # the client's


class Manage(Documented):
    """PUT /api/v0/instances/{id}/."""

    state: Literal["running", "stopped"] | None = None
    label: str | None = Field(default=None, max_length=1024)


class SshKey(Documented):
    """POST /api/v0/ssh/."""

    ssh_key: str


class Price(Documented):
    """How an hour's price is made up."""

    gpuCostPerHour: float  # noqa: N815
    diskHour: float  # noqa: N815
    totalHour: float  # noqa: N815


class OfferRow(Documented):
    id: int
    ask_contract_id: int
    machine_id: int
    host_id: int
    gpu_name: str
    num_gpus: int
    gpu_ram: int
    gpu_arch: str
    gpu_frac: float
    cpu_arch: str
    cpu_cores: int | None
    cpu_cores_effective: float
    cpu_ram: int
    cuda_max_good: float
    compute_cap: int
    dph_base: float
    dph_total: float
    min_bid: float
    storage_cost: float
    storage_total_cost: float
    disk_space: float
    inet_down: float
    inet_up: float
    inet_down_cost: float
    inet_up_cost: float
    direct_port_count: int
    static_ip: bool
    reliability: float
    reliability2: float
    verification: str
    vms_enabled: bool
    duration: float
    end_date: float
    start_date: float
    dlperf: float
    dlperf_per_dphtotal: float
    score: float
    driver_version: str
    disk_bw: float
    pcie_bw: float
    geolocation: str
    rentable: bool
    rented: bool
    is_bid: bool
    external: bool | None
    search: Price
    instance: Price


class Offers(Documented):
    offers: list[OfferRow]
    truncated: bool = False


class Port(Documented):
    HostIp: str
    HostPort: str


class InstanceRow(Documented):
    id: int
    actual_status: (
        Literal["created", "loading", "running", "stopped", "frozen", "exited", "rebooting", "unknown", "offline"]
        | None
    )
    cur_state: Literal["running", "stopped", "unloaded"]
    next_state: Literal["running", "stopped", "unloaded"]
    intended_status: Literal["running", "stopped", "frozen"]
    label: str | None
    image_uuid: str
    image_runtype: str
    extra_env: list[tuple[str, str]]
    onstart: str
    status_msg: str | None
    public_ipaddr: str
    local_ipaddrs: str
    ssh_host: str
    ssh_idx: str
    ssh_port: int
    machine_dir_ssh_port: int
    machine_id: int
    host_id: int
    start_date: float
    end_date: float
    uptime_mins: float | None
    duration: float
    cpu_arch: str
    cpu_cores: int
    cpu_cores_effective: float
    cpu_ram: int
    cpu_util: float
    mem_limit: float | None
    mem_usage: float | None
    gpu_name: str
    num_gpus: int
    gpu_ram: int
    gpu_util: float | None
    gpu_temp: float | None
    disk_space: float
    disk_usage: float
    direct_port_count: int
    ports: dict[str, list[Port]] | None
    static_ip: bool
    geolocation: str
    verification: str
    reliability2: float
    min_bid: float
    is_bid: bool
    dph_base: float
    dph_total: float
    storage_cost: float
    storage_total_cost: float
    search: Price
    instance: Price


class Page(Documented):
    """GET /api/v1/instances/."""

    success: bool
    instances_found: int
    total_instances: int
    label_counts: dict[str, int]
    next_token: str | None
    instances: list[InstanceRow]


class Shown(Documented):
    """GET /api/v0/instances/{id}/: null once it is destroyed."""

    instances: InstanceRow | None


class Rented(Documented):
    """The key is in hello-world.mdx alone."""

    success: Literal[True]
    new_contract: int
    instance_api_key: str


class Done(Documented):
    success: Literal[True]
    msg: str = ""


class SshKeyRow(Documented):
    id: int
    user_id: int
    key: str
    created_at: str
    deleted_at: str | None


class NewSshKey(Documented):
    id: int
    user_id: int
    public_key: str
    created_at: str
    deleted_at: str | None


class SshKeyMade(Documented):
    success: Literal[True]
    key: NewSshKey


class SshKeys(BaseModel):
    """An array, which pydantic has under a name."""

    keys: list[SshKeyRow]


class User(Documented):
    id: int
    username: str
    email: str
    balance: float
    credit: float
    api_key: str
    can_pay: bool
    has_billing: bool
    ssh_key: str


class Failed(Documented):
    """Any error. `new_contract` beside one is not documented, and answered all the same (dstack's api_client.py)."""

    success: Literal[False] = False
    error: str = ""
    msg: str = ""
    ask_id: int | None = None
    new_contract: int | None = None


def searched(body: dict[str, Any]) -> tuple[Search, dict[str, dict[str, Any]]]:
    """A search's settings, and its filters. Raises ValueError for what is not documented."""
    filters = {name: value for name, value in body.items() if name in OFFER_FILTERS}
    for name, value in filters.items():
        if not isinstance(value, dict) or set(value) - OPERATORS:
            raise ValueError(f"{name}: expected an object of {', '.join(sorted(OPERATORS))}, got {value!r}")
    # JSON has lists where we have pairs
    return Search.model_validate({name: body[name] for name in body if name not in filters}, strict=False), filters
