"""Settings of single machines: in a lab, of one's own, rented."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from homespun.clients.vast.client import URL
from homespun.clients.vast.instances import VM_IMAGES
from stacks.settings.fields import (
    LISTED,
    Address,
    Dollars,
    FilePath,
    HostKey,
    Number,
    Port,
    Section,
    User,
    matching,
    whole,
    word,
)

HOME: Final = "home"
"""The site that there is first."""
SITE_LETTERS: Final = 8
"""Of a site's name, at most."""


class NodeSettings(Section):
    """One machine. The list of them may grow and shrink: name and number stay with a machine as long as it is there."""

    name: Annotated[str, word(8)]
    number: Number
    """Its place in the ranges: of the lab's addresses, of the pods', of the mesh's."""


class MachineSettings(NodeSettings):
    """One that is there, or is made here."""

    site: Annotated[str, word(SITE_LETTERS)] = HOME


class RentedSettings(NodeSettings):
    """One to be had from vast.ai, alone at a site of its own: what it must have, and what it may cost."""

    max_usd_per_hour: Dollars
    """For GPUs and disk together, on demand; traffic comes on top."""
    gpu_names: Annotated[tuple[str, ...], LISTED] = ()
    """Any of these, as vast.ai writes them: "RTX 4090"."""
    gpus: Annotated[int, whole(range(1, 65), "a number of GPUs, 1 to 64")] = 1
    """At least."""
    gpu_ram_gib: Annotated[int, whole(range(1 << 10), "GiB, a number from 0 on")] = 0
    """Of each GPU, at least."""
    disk_gb: Annotated[int, whole(range(40, 1 << 16), "GB, a number from 40 on")] = 130
    image: Annotated[str, matching(rf"{VM_IMAGES}\S+", f"an image of a virtual machine, {VM_IMAGES}…")] = (
        f"{VM_IMAGES}@vastai-automatic-tag"
    )
    """Of the virtual machine: in a container no kubelet runs."""

    @property
    def site(self) -> str:
        """Nobody shares its LAN."""
        return self.name


class VastSettings(Section):
    """The account at vast.ai. Its key is in no settings: `VAST_API_KEY`, or the file of the `vastai` command."""

    max_usd_per_hour: Dollars
    """For all that is rented together."""
    identity: FilePath = Field(default_factory=lambda: Path("~/.ssh/id_ed25519").expanduser())
    """The private key that opens what is rented; the account is given its public half."""
    dark_minutes: Annotated[int, whole(range(10, 1441), "minutes, 10 to 1440")] = 60
    """After so long without a word of the cluster a rented machine destroys itself."""
    url: Annotated[str, matching(r"https?://\S+(?<!/)", "an address such as https://console.vast.ai")] = URL


class HomeMachineSettings(MachineSettings):
    """A machine that is there already, and how it is reached by SSH."""

    name: Annotated[str, word(40)]
    """Of the node."""
    address: Address
    """For SSH, and on its LAN; one that is alone at its site may be known by another."""
    port: Port = 22
    user: User = "root"
    """Root, or who may `sudo` without a password."""
    identity: FilePath = Field(default_factory=lambda: Path("~/.ssh/id_ed25519").expanduser())
    """The private key."""
    host_key: HostKey
    """Of the machine (`ssh-keyscan`): another one is not spoken to."""
