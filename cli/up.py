"""`make up`: from whatever there is to an answer out of a collection; a second one changes nothing."""

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from cli import data, deployment, model, obstacles
from cli.copy import CopyRefused, copy
from cli.errors import CommandFailed, make
from cli.kubectl import (
    INFERENCE_MODELS,
    PATIENCE,
    VECTOR_COLLECTIONS,
    Kubectl,
    cluster,
    kubeconfig,
    write_secret,
)
from cli.lab import disk_bytes, machines_of, memory_bytes, tools_of
from cli.page import Page, answer, authority
from cli.project import CHECKOUT, Project
from cli.question import ask
from cli.waiting import wait
from homespun import places
from homespun.clients.errors import ServiceError
from homespun.hosts import layout
from stacks import settings
from stacks.machines import nspawn, vast
from stacks.platform.manifests import DATA, MODELS, OPERATOR, SYSTEM
from stacks.settings import BASE, GivenPlatform, HomeBase, LabBase, OwnBase, RentedSettings
from stacks.settings.platform_stack import INGRESS_NAMES, IngressSettings
from tools import minilm, screen
from tools.environments import environment
from tools.obtain import obtain
from tools.pulumi.install import Installation, install
from tools.table import Tool, named

MODEL: Final = CHECKOUT / "examples/inference/minilm.yaml"
COLLECTION: Final = CHECKOUT / "examples/vectors/papers.yaml"
PAPERS: Final = CHECKOUT / "examples/papers"
ENVIRONMENTS: Final = ("hosts", "operator", "serving", "triton", "vectors", "milvus", "spark", "training", "minilm")
CLUSTER_TOOLS: Final = ("kubectl", "pulumi")
"""All that is needed where the cluster is there already."""
KNOWN_AS: Final = {
    "Cluster": "cluster ",
    "LabMachine": "machine ",
    "RentedMachine": "rented machine ",
    "Node": "node ",
    "Headscale": "",
    "Tailscale": "",
    "Names": "tailnet's ",
}
"""What stands before a resource's name where people are asked about it, by kinds; a tailnet is called so itself."""
READY_SECONDS: Final = 240
"""For a server that has to be started first, on a machine that has just been booted."""


def up(name: str) -> None:
    """Bring an environment up and say what it took. Raises CommandFailed, SettingsError, LabError, ToolError."""
    platform = settings.platform(name)
    base = None if isinstance(platform, GivenPlatform) else settings.base(name)
    if stands_in_the_way := obstacles.of(name, platform):
        raise CommandFailed("\n".join(stands_in_the_way))
    places.state().mkdir(parents=True, exist_ok=True)
    said = [_tools(tools_of(base) if base else [named(tool) for tool in CLUSTER_TOOLS], ENVIRONMENTS if base else ())]
    installation = install(screen.Percent("pulumi").show)
    if base:
        said += _base(name, base, installation)
    kubectl = cluster(name, platform)
    done, page = _platform(name, installation)
    said.append(done)
    said.append(_model(kubectl, platform.namespace, name))
    said.append(_collection(kubectl, platform.namespace, name))
    answered = answer(page, _name(COLLECTION))
    screen.line("")
    print(" · ".join(said))
    print(answered)
    print(f"open   {page.url}          your cloud: machines, models, a search box to try")
    print(f"next   {make('shell', name)}: kubectl apply -f examples/…, python examples/switch.py"
          f"    {make('model', name)} FROM=…    {make('data', name)} FROM=…    {make('down', name)}")  # fmt: skip
    certificate = _kept(page, authority(name))
    domain = base.mesh.domain if base else None
    if platform.ingress:
        print(_names(platform.ingress, page, certificate, domain))
    elif domain:
        print(f"names  your tailnet's devices find all under {domain}: http://cloud.{domain}:{platform.page_port}/")
    if isinstance(base, HomeBase):
        for one in base.rented:
            print(f"rented {one.name}: {_price(base, one)}")
    if isinstance(base, LabBase):
        machines = machines_of(base)
        memory, disk = sum(map(memory_bytes, machines)), disk_bytes(machines[0].folder)
        print(f"uses   {memory / 2**30:.1f} GB RAM, {disk / 2**30:.1f} GB disk")


def _kept(page: Page, certificate: Path) -> Path:
    """Have the file hold what vouches for the page's name, or be gone where nothing does."""
    if page.authority:
        certificate.parent.mkdir(parents=True, exist_ok=True)
        certificate.write_text(page.authority)
    else:
        certificate.unlink(missing_ok=True)
    return certificate


def _names(found: IngressSettings, page: Page, certificate: Path, domain: str | None) -> str:
    """What a client has to know of an ingress; those in a tailnet find all under `domain`."""
    first = [*INGRESS_NAMES, *(one.name for one in found.services)]
    names = " ".join(f"{name}.{found.domain}" for name in first)
    knows = "your tailnet's devices find them; else " if domain and under(found.domain, domain) else ""
    return f"names  {page.address} {names}\n       {knows}for /etc/hosts or your DNS; vouched for by {certificate}"


def under(name: str, domain: str) -> bool:
    """Whether a name is the domain, or below it."""
    return f".{name}".endswith(f".{domain}")


def _reap(found: HomeBase) -> None:
    """Give back what an `up` that was cut off has rented, and no settings name any more."""
    try:
        for one in vast.give_back(found, but=[one.name for one in found.rented]):
            print(f"gone   rented {one}")
    except ServiceError as error:
        print(f"rented {error}")


def _price(found: HomeBase, one: RentedSettings) -> str:
    try:
        return vast.price(found, one)
    except ServiceError as error:
        return str(error)


def _tools(wanted: Sequence[Tool], environments: Sequence[str]) -> str:
    for number, tool in enumerate(wanted, start=1):
        obtain(tool, screen.Percent(f"tools {number}/{len(wanted)} {tool.name}").show)
    for extra in environments:
        screen.line(f"environment {extra}")
        environment(extra)
    return f"tools {len(wanted)}/{len(wanted)}"


def _base(name: str, found: OwnBase, installation: Installation) -> list[str]:
    in_lab = machines_of(found) if isinstance(found, LabBase) else []
    woken = [machine.name for machine in in_lab if nspawn.exists(machine) and nspawn.start(machine)]
    project = Project(f"{name}{BASE}", installation)
    known = Project.known(project.stack)
    project.prepare()
    screen.line("base")
    if known and (taken := project.made_anew()):
        stays = f"the claims are on {found.first.name}" if in_lab else f"what is in {layout.VOLUMES} stays"
        ask(f"These settings take away, or make anew, with all that is in it: {in_words(taken)} ({stays}).")
    seconds = deployment.run(project, "up").seconds
    if isinstance(found, HomeBase):
        _reap(found)
    write_secret(kubeconfig(name), project.outputs()["kubeconfig"])
    _wait_answers(Kubectl(kubeconfig(name)))
    several = [*(["mesh"] if found.joined else []), "cluster", *(["nodes"] if len(found.listed) > 1 else [])]
    first = ["machine"] if in_lab else ["rent"] if isinstance(found, HomeBase) and found.rented else []
    stages = (*first, "host", *several)
    said = [_stage(stage, seconds.get(stage)) for stage in stages]
    return [f"{', '.join(woken)} started", *said[1:]] if woken else said


def in_words(taken: Sequence[str]) -> str:
    """What goes, as people call it; what merely goes with a machine, a node or a cluster is left out beside these."""
    kinds = [one.partition(" ") for one in taken]
    return ", ".join([f"{KNOWN_AS[kind]}{name}" for kind, _, name in kinds if kind in KNOWN_AS] or taken)


def _wait_answers(kubectl: Kubectl) -> None:
    """Until the API server is ready: on a machine that has just been booted it takes a while."""

    def lacking() -> str:
        try:
            kubectl.run("get", "--raw", "/readyz", PATIENCE)
        except CommandFailed as error:
            return " ".join(str(error).split())  # a line of progress
        return ""

    if why := wait(lacking, "cluster", READY_SECONDS):
        raise CommandFailed(why)


def _platform(name: str, installation: Installation) -> tuple[str, Page]:
    """What was done, and the page."""
    started = time.monotonic()
    screen.line("platform")
    project = Project(name, installation)
    project.prepare()
    deployed = deployment.run(project, "up")
    what = f"{deployed.objects} objects" if deployed.objects else ", ".join(deployed.seconds)
    took = time.monotonic() - started
    done = f"platform {what} {took:.0f}s" if what else "platform unchanged"
    outputs = project.outputs()
    return done, Page(outputs["page"], outputs["address"], outputs.get("authority", ""))


def _model(kubectl: Kubectl, namespace: str, stack: str) -> str:
    """The example's model, copied, applied and waited for, where there are no models. What is a user's stays so."""
    started = time.monotonic()
    if known := _known(kubectl, namespace, INFERENCE_MODELS, "models"):
        return known
    name = _name(MODEL)
    try:
        with tempfile.TemporaryDirectory() as folder:
            copy(kubectl, namespace, MODELS, model.look(minilm.write(Path(folder)), name), make("up", stack))
    except CopyRefused:
        return f"no model, for the claim {MODELS} has another {name}"
    _apply(kubectl, namespace, MODEL)
    _wait_true(kubectl, namespace, INFERENCE_MODELS, name, "Ready", stack)
    return _stage(f"model {name}", time.monotonic() - started)


def _collection(kubectl: Kubectl, namespace: str, stack: str) -> str:
    """The example's papers, copied, and their collection, applied and filled, where there are no collections."""
    started = time.monotonic()
    if known := _known(kubectl, namespace, VECTOR_COLLECTIONS, "collections"):
        return known
    name, embeds = _name(COLLECTION), _name(MODEL)
    if not kubectl.get("-n", namespace, INFERENCE_MODELS, embeds):
        return f"no collection, for there is no model {embeds}"
    try:
        copy(kubectl, namespace, DATA, data.look(PAPERS), make("up", stack))
    except CopyRefused:
        return f"no collection, for the claim {DATA} has another {PAPERS.name}"
    _apply(kubectl, namespace, COLLECTION)
    _wait_true(kubectl, namespace, VECTOR_COLLECTIONS, name, "Ingested", stack)
    return _stage(f"collection {name}", time.monotonic() - started)


def _known(kubectl: Kubectl, namespace: str, kind: str, called: str) -> str:
    """How many there are, and how many Ready; '' if there are none."""
    found = kubectl.get("-n", namespace, kind).get("items", [])
    conditions = [entry for one in found for entry in one.get("status", {}).get("conditions", [])]
    ready = sum(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    return f"{called} {ready} of {len(found)} Ready" if found else ""


def _name(example: Path) -> str:
    return str(yaml.safe_load(example.read_text())["metadata"]["name"])


def _apply(kubectl: Kubectl, namespace: str, example: Path) -> None:
    document = yaml.safe_load(example.read_text())
    document["metadata"]["namespace"] = namespace
    kubectl.run("apply", "-f", "-", input=json.dumps(document))


def _wait_true(kubectl: Kubectl, namespace: str, kind: str, name: str, condition: str, stack: str) -> None:
    def lacking() -> str:
        status = kubectl.get("-n", namespace, kind, name).get("status", {})
        conditions = {entry["type"]: entry for entry in status.get("conditions", [])}
        found = conditions.get(condition, {})
        if found.get("status") == "True":
            return ""
        reason, message = found.get("reason", "Pending"), found.get("message", "the operator has not seen it yet")
        return f"{reason}: {message}" if message else str(reason)

    if why := wait(lacking, name, READY_SECONDS):
        raise CommandFailed(
            f"{name}: expected {condition} within {READY_SECONDS} s, found {why}\n"
            f"({make('shell', stack)}; kubectl -n {namespace} describe {kind} {name};"
            f" kubectl -n {SYSTEM} logs deployment/{OPERATOR})"
        )


def _stage(name: str, seconds: float | None) -> str:
    return f"{name} unchanged" if seconds is None else f"{name} {seconds:.0f}s"
