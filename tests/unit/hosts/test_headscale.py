"""The control server is asked at the addresses that its certificate holds, in its real words to openssl."""

import re
import subprocess
from pathlib import Path

from homespun.hosts import headscale
from homespun.hosts.cluster import Mesh
from tests.unit.hosts.test_state import MESH, member


def start(mesh: Mesh, folder: Path) -> str:
    """What the unit does before it starts the server; the names in the certificate then."""
    made = re.search(r"ExecStartPre=/bin/sh -c '(.*)'\n", headscale.service(member(0), mesh))
    assert made
    subprocess.run(["sh", "-c", made[1].replace(headscale.FOLDER, str(folder))], check=True, capture_output=True)
    shown = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", str(folder / "tls.crt")]
    return subprocess.run(shown, check=True, capture_output=True, text=True).stdout.splitlines()[-1].strip()


def test_a_certificate_is_made_once_and_anew_for_another_address(tmp_path: Path) -> None:
    assert start(MESH, tmp_path) == "IP Address:10.41.0.10"
    first = (tmp_path / "tls.crt").read_text()
    start(MESH, tmp_path)
    assert (tmp_path / "tls.crt").read_text() == first
    elsewhere = Mesh("https://203.0.113.7:8443", authority=True, inside=MESH.inside, headscale_port=8443)
    assert start(elsewhere, tmp_path) == "IP Address:203.0.113.7, IP Address:10.41.0.10"
