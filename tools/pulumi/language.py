"""Stand-in for `pulumi-language-python`: serves pulumirpc.LanguageRuntime, which runs programs for the engine.

Different from the official host: it reports no packages that the engine should download; of the toolchains it knows
virtual environments only; it attaches no debugger, installs no dependencies, runs no policy packs, and generates no
code (`pulumi new`, `convert`, `package add`).
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2 as messages
from pulumi.runtime.proto import plugin_pb2
from pulumi.runtime.proto.language_pb2_grpc import LanguageRuntimeServicer, add_LanguageRuntimeServicer_to_server

from tools.pulumi import engine, program
from tools.table import PULUMI_VERSION

LIST_PACKAGES: Final = (
    "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
)


class RuntimeOptionError(Exception):
    """Pulumi.yaml's `runtime.options` ask for what can't be done or isn't there."""


def interpreter(options: Mapping[str, Any], root: Path, environment: Mapping[str, str]) -> Path:
    """The Python that runs a program: `virtualenv` of the options, else PULUMI_PYTHON_CMD, else our own.

    `root` is the folder of Pulumi.yaml. Raises RuntimeOptionError.
    """
    toolchain = options.get("toolchain") or "pip"
    if toolchain != "pip":
        raise RuntimeOptionError(f"{root}/Pulumi.yaml: runtime.options.toolchain: expected pip, got {toolchain}")
    virtualenv = options.get("virtualenv")
    if not virtualenv:
        return Path(environment.get("PULUMI_PYTHON_CMD") or sys.executable)
    python = Path(root, virtualenv, "bin/python")
    if not python.exists():
        raise RuntimeOptionError(
            f"{root}/Pulumi.yaml: runtime.options.virtualenv: {virtualenv}: expected a virtual environment, found no"
            f" {python}. Make it with: python3 -m venv {root / virtualenv}"
        )
    return python


class Host(LanguageRuntimeServicer):
    """The language host. Each program runs in a process of its own."""

    def __init__(self, engine_address: str) -> None:
        self._engine = engine_address
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End the programs that still run."""
        with self._lock:
            for process in self._running:
                process.terminate()

    def Handshake(
        self, request: messages.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> messages.LanguageHandshakeResponse:
        return messages.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=PULUMI_VERSION)

    def GetRequiredPackages(
        self, request: messages.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> messages.GetRequiredPackagesResponse:
        return messages.GetRequiredPackagesResponse()

    def GetRequiredPlugins(
        self, request: messages.GetRequiredPluginsRequest, context: grpc.ServicerContext
    ) -> messages.GetRequiredPluginsResponse:
        return messages.GetRequiredPluginsResponse()

    def RuntimeOptionsPrompts(
        self, request: messages.RuntimeOptionsRequest, context: grpc.ServicerContext
    ) -> messages.RuntimeOptionsResponse:
        return messages.RuntimeOptionsResponse()

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        self.stop()
        return Empty()

    def About(self, request: messages.AboutRequest, context: grpc.ServicerContext) -> messages.AboutResponse:
        python = _interpreter(request.info, context)
        version = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
        return messages.AboutResponse(executable=str(python), version=version)

    def GetProgramDependencies(
        self, request: messages.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> messages.GetProgramDependenciesResponse:
        python = _interpreter(request.info, context)
        ran = subprocess.run([python, "-c", LIST_PACKAGES], capture_output=True, text=True, check=True)
        packages: dict[str, str] = json.loads(ran.stdout)
        return messages.GetProgramDependenciesResponse(
            dependencies=[messages.DependencyInfo(name=name, version=version) for name, version in packages.items()]
        )

    def Run(self, request: messages.RunRequest, context: grpc.ServicerContext) -> messages.RunResponse:
        python = _interpreter(request.info, context)
        code = self._run(python, request.pwd, _run_document(request, self._engine))
        if code == program.SHOWN:
            return messages.RunResponse(bail=True)
        return messages.RunResponse(error="" if code == 0 else f"the program ended with exit code {code}")

    def _run(self, python: Path, folder: str, document: bytes) -> int:
        environment = {**os.environ, "PATH": f"{python.parent}:{os.environ.get('PATH', '')}"}
        command = [str(python), "-u", program.__file__]
        with subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.PIPE) as process:
            with self._lock:
                self._running.add(process)
            process.communicate(document)
        with self._lock:
            self._running.discard(process)
        return process.returncode


def _run_document(request: messages.RunRequest, engine_address: str) -> bytes:
    """What `program.main` reads: the RunRequest, in JSON."""
    info = request.info
    document = {
        "program": os.path.normpath(Path(info.program_directory) / (info.entry_point or ".")),
        "arguments": list(request.args),
        "config": dict(request.config),
        "secretKeys": list(request.configSecretKeys),
        "settings": {
            "monitor": request.monitor_address,
            "engine": engine_address,
            "project": request.project,
            "stack": request.stack,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "organization": request.organization,
            "root_directory": info.root_directory,
        },
    }
    return json.dumps(document).encode()


def _interpreter(info: messages.ProgramInfo, context: grpc.ServicerContext) -> Path:
    try:
        return interpreter(dict(info.options), Path(info.root_directory), os.environ)
    except RuntimeOptionError as error:
        _refuse(context, str(error))


def _refuse(context: grpc.ServicerContext, message: str) -> NoReturn:
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)


def main() -> None:
    host = Host(sys.argv[-1])
    server = grpc.server(futures.ThreadPoolExecutor(16), options=engine.GRPC_OPTIONS)
    add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    engine.announce(port)
    engine.wait_for_end()
    host.stop()
    server.stop(0)
    os._exit(0)  # not sys.exit: a call in flight would be waited for


if __name__ == "__main__":
    main()
