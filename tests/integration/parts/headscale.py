"""A real headscale, with an authority for its TLS and a relay (DERP) in it: a tailnet that needs nothing outside."""

import json
import ssl
import subprocess
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.integration.parts.kubernetes import command
from tests.integration.parts.process import Process

DOMAIN: Final = "tail.test"
"""Of the devices' names."""


@dataclass
class Headscale:
    """The server; what it keeps stays in the folder, whose path is short enough for a socket in it (108 bytes).

    Its devices reach it at `address`; they trust `authority` by SSL_CERT_FILE. Its policy is put by its API.
    """

    folder: Path
    address: str = "127.0.0.1"
    port: int = 8443
    stun_port: int = 3478
    split: dict[str, list[str]] = field(default_factory=dict)
    """Which name servers its devices ask for the names below a domain."""
    process: Process = field(init=False)

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"

    @property
    def authority(self) -> Path:
        """The certificate that clients have to trust."""
        return self.folder / "ca.crt"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.authority.exists():
            certificates(self.folder, self.address)
        self._configuration.write_text(json.dumps(self._configured()))  # JSON is YAML too
        self.process = Process(
            [command("headscale"), "--config", self._configuration, "serve"], self.folder / "headscale.log"
        )
        self.process.until("/health", self._answers)

    def stop(self) -> None:
        self.process.stop()

    def ask_for(self, split: dict[str, list[str]]) -> None:
        """Other name servers, which it reads when it starts."""
        self.split = split
        self.stop()
        self.start()

    def run(self, *arguments: str) -> str:
        """What a command of headscale's own prints, as JSON where it knows how to; it goes past the API.

        An AssertionError with what it complains of, if it fails.
        """
        ran = subprocess.run(
            [command("headscale"), "--config", self._configuration, "--output", "json", *arguments],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert ran.returncode == 0, f"headscale {' '.join(arguments)}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def api_key(self) -> str:
        """A new one, for its API."""
        key: str = json.loads(self.run("apikeys", "create"))
        return key

    @property
    def _configuration(self) -> Path:
        return self.folder / "config.json"

    def _configured(self) -> dict[str, Any]:
        """As its config-example.yaml, but that nothing goes out: no relays of others, no look for updates."""
        relay = {
            "enabled": True,
            "region_id": 999,
            "region_code": "test",
            "region_name": "test",
            "stun_listen_addr": f"{self.address}:{self.stun_port}",
            "private_key_path": f"{self.folder}/derp.key",
            "ipv4": self.address,
        }
        names = {
            "magic_dns": True,
            "base_domain": DOMAIN,
            "override_local_dns": False,
            "nameservers": {"global": [], "split": self.split},
        }
        return {
            "server_url": self.url,
            "listen_addr": f"{self.address}:{self.port}",
            "grpc_listen_addr": f"{self.address}:0",  # with TLS it listens, whether anybody calls or not
            "metrics_listen_addr": "",
            "tls_cert_path": f"{self.folder}/server.crt",
            "tls_key_path": f"{self.folder}/server.key",
            "noise": {"private_key_path": f"{self.folder}/noise.key"},
            "prefixes": {"v4": "100.64.0.0/10", "v6": "fd7a:115c:a1e0::/48"},
            "derp": {"server": relay, "urls": [], "paths": [], "auto_update_enabled": False},
            "database": {"type": "sqlite", "sqlite": {"path": f"{self.folder}/headscale.db"}},
            "policy": {"mode": "database"},
            "dns": names,
            "unix_socket": f"{self.folder}/headscale.sock",
            "disable_check_updates": True,
            "log": {"level": "info"},
        }

    def _answers(self) -> bool:
        trust = ssl.create_default_context(cafile=str(self.authority))
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5, context=trust) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def certificates(folder: Path, address: str) -> None:
    """An authority, and a certificate of it for the address."""
    (folder / "server.ext").write_text(f"subjectAltName = IP:{address}\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl("req", "-x509", *key, "-keyout", f"{folder}/ca.key", "-subj", "/CN=test-tailnet", "-days", "2",
             "-addext", "basicConstraints=critical,CA:TRUE", "-out", f"{folder}/ca.crt")  # fmt: skip
    _openssl("req", *key, "-keyout", f"{folder}/server.key", "-subj", "/CN=headscale", "-out", f"{folder}/server.csr")
    _openssl("x509", "-req", "-in", f"{folder}/server.csr", "-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key",
             "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/server.ext", "-out",
             f"{folder}/server.crt")  # fmt: skip


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
