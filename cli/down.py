"""`make down`: a lab goes, however it is: half built, its API server dead, its Pulumi state lost. Of a cluster that was
there before only the platform goes."""

import contextlib
import os
import shutil
from typing import Final

from cli import deployment
from cli.claims import COPIES_SELECTOR
from cli.errors import CommandFailed
from cli.kubectl import INFERENCE_MODELS, TRAINING_JOBS, VECTOR_COLLECTIONS, cluster, kubeconfig
from cli.lab import disk_bytes, machines_of
from cli.page import authority
from cli.project import Project
from cli.question import ask
from homespun import places
from homespun.hosts import layout
from stacks import settings
from stacks.machines import network, nspawn, own, sites, vast
from stacks.mesh import control, tailscale
from stacks.platform.manifests import DATA, MODELS, SYSTEM
from stacks.platform.manifests import VECTORS as VECTORS_CLAIM
from stacks.settings import GivenPlatform, HomeBase, LabBase, OwnBase
from tools.obtain import ToolError
from tools.pulumi.install import install
from tools.screen import Percent
from workloads.inference.config import CONFIG_MAP as INFERENCE
from workloads.vectors.config import CONFIG_MAP as VECTORS

KINDS: Final = (TRAINING_JOBS, VECTOR_COLLECTIONS, INFERENCE_MODELS)
CLAIMS: Final = f"{MODELS}, {VECTORS_CLAIM} and {DATA}"


def down(stack: str) -> None:
    """Take the environment away, after a question. Raises CommandFailed where something stays."""
    found = settings.platform(stack)
    if isinstance(found, GivenPlatform):
        _cluster(stack, found)
    elif isinstance(base := settings.base(stack), LabBase):
        _lab(stack, base)
    else:
        _home(stack, base)
    for file in (kubeconfig(stack), authority(stack)):
        file.unlink(missing_ok=True)
    _tidy()
    cache = places.cache()
    print(f"kept   {cache} ({disk_bytes(cache) / 2**30:.1f} GB of downloads and builds; `make clean` removes it)")


def _home(stack: str, found: HomeBase) -> None:
    """The cluster, with all that is in it, and what makes nodes of machines; they stay, and users' data on them."""
    if not Project.known(f"{stack}{settings.BASE}"):
        raise _unknown(stack, "nothing else" if _give_back(found) else "nothing")
    _knows_tailnet(found)
    rented = f" Given back: {', '.join(one.name for one in found.rented)}." if found.rented else ""
    if os.environ.get("FORGET") == "1":
        ask(f"The record of {stack} in {places.state()} will go, and nothing of what is on the machines.{rented}")
    else:
        own.pin(found)
        names = ", ".join(one.name for one in found.machines)
        silent = [name for name, reached in own.connections(found).items() if not reached.answers()]
        warning = f" Not reached, so what is ours stays there: {', '.join(silent)}." if silent else ""
        ask(f"The cluster on {names} will go, with all objects; what is in {layout.VOLUMES} stays.{rented}{warning}")
        project = Project(f"{stack}{settings.BASE}", install(Percent("pulumi").show))
        project.prepare()
        deployment.run(project, "destroy")
        print(f"gone   cluster {found.name} from {names}; kept on them: {layout.VOLUMES}")
    _leave_tailnet(found, [one.name for one in found.members])
    _give_back(found)
    own.unpin(found)
    _forget([stack, f"{stack}{settings.BASE}"])


def _give_back(found: HomeBase) -> list[str]:
    """What is rented, even where Pulumi knows nothing of it (an `up` was cut off, its record is lost); the labels."""
    gone = vast.give_back(found)
    for one in gone:
        print(f"gone   rented {one}")
    return gone


def _knows_tailnet(found: OwnBase) -> None:
    """Whether there is a credential for what has to be taken out of Tailscale's service. Raises Denied."""
    if found.meets_at_tailscale:
        control.tailscale()


def _leave_tailnet(found: OwnBase, machines: list[str]) -> None:
    """What Tailscale's service still has of the cluster, even where Pulumi knows nothing of it."""
    if found.meets_at_tailscale:
        for one in tailscale.leave(found.called, machines):
            print(f"gone   from the tailnet: {one}")


def _unknown(stack: str, touched: str = "nothing") -> CommandFailed:
    return CommandFailed(
        f"{stack}: expected a record of it in {places.state()}, found none; {touched} was touched. Who brought it up,"
        " and with which HOMESPUN_STATE?"
    )


def _lab(stack: str, found: LabBase) -> None:
    """The machines first, and not by Pulumi: this works whatever state that is in. Its resources live in them alone,
    but for what Tailscale's service has of them."""
    machine, *_ = machines_of(found)
    if nspawn.machines(machine.folder):
        size = disk_bytes(machine.folder) / 2**30
        ask(f"{machine.folder} and all its data ({size:.1f} GB) will go.")
    made = nspawn.known(machine.folder, machine)
    if made or Project.known(f"{stack}{settings.BASE}"):
        _leave_tailnet(found, [*(one.name for one in made), *(one.name for one in found.members)])
    for one in made or [machine]:
        nspawn.destroy(one)
    networks = {*(one.network for one in made), *sites.networks(found).values()}
    for lan in networks:
        network.down(lan)
    if left := [*nspawn.check_leftovers(machine), *(line for lan in networks for line in network.leftovers(lan))]:
        raise CommandFailed("expected nothing of the lab to stay, found:\n" + "\n".join(left))
    _forget([stack, f"{stack}{settings.BASE}"])
    print(f"gone   lab {machine.network.lab}" if made else f"nothing of a lab {machine.network.lab} was there")


def _cluster(stack: str, found: GivenPlatform) -> None:
    """Our objects while the operator lives, then what Pulumi made. The kinds, the users' namespace and claims stay."""
    if not Project.known(stack):
        raise _unknown(stack)
    if os.environ.get("FORGET") == "1":
        ask(f"The record of {stack} in {places.state()} will go, and nothing of what is on the cluster.")
        _forget([stack])
        return
    project = Project(stack, install(Percent("pulumi").show))
    project.prepare()
    kubectl, namespace = cluster(stack, found), found.namespace
    try:
        there = {kind: len(kubectl.get("-n", namespace, kind).get("items", [])) for kind in KINDS}
    except CommandFailed as error:
        raise CommandFailed(
            f"{error}\nnothing was touched. If that cluster is gone for good, FORGET=1 drops the record of it"
        ) from None
    objects = sum(there.values())
    ask(f"{SYSTEM} and {objects} objects in {namespace} will go; the claims {CLAIMS} and what is in them stay.")
    for kind, number in there.items():
        if number:
            kubectl.run("-n", namespace, "delete", kind, "--all", "--wait")
    kubectl.run("-n", namespace, "delete", "pods", "-l", COPIES_SELECTOR, "--wait=false")
    deployment.run(project, "destroy")
    # The operator leaves them behind, so that a deletion is never taken for 'nothing'.
    kubectl.run("-n", namespace, "delete", "configmap", INFERENCE, VECTORS, "--ignore-not-found")
    _forget([stack])
    print(f"gone   {SYSTEM}, {objects} objects; kept on the cluster: the kinds, namespace {namespace}, claims {CLAIMS}")


def _tidy() -> None:
    if not (places.state() / "pulumi").exists():  # the last environment of this state folder
        for name in ("home", "log", "shell"):
            shutil.rmtree(places.state() / name, ignore_errors=True)
    for folder in (*places.state().glob("*"), places.state()):
        with contextlib.suppress(OSError):  # another environment's are not empty
            folder.rmdir()


def _forget(stacks: list[str]) -> None:
    """Remove what Pulumi knows of them, and its folder with the last stack."""
    folder = places.state() / "pulumi"
    if not folder.exists():
        return
    try:
        installation = install(lambda what, percent: None)
        for stack in stacks:
            Project(stack, installation).forget()
    except ToolError as error:
        raise CommandFailed(f"all is gone, but Pulumi's record of it stays in {folder}: {error}") from error
    if not list(folder.glob(".pulumi/stacks/*/*.json")):
        shutil.rmtree(folder)
