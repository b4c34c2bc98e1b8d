"""Clients come in by TLS under a name that the authority vouches for, and cannot hold the door."""

import re
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from cli.page import opener
from stacks.platform import ingress
from tests.integration.ingress.conftest import DOMAIN, PORT, Running, start
from tests.waiting import until


def get(running: Running, name: str, path: str = "", **headers: str) -> str:
    page = running.page(name)
    request = urllib.request.Request(f"{page.url}{path}", headers=headers)
    with opener(page).open(request, timeout=10) as answer:
        return str(answer.read().decode())


def connected(running: Running, name: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cadata=running.certificate)
    reached = socket.create_connection(("127.0.0.1", PORT), 10)
    return context.wrap_socket(reached, server_hostname=f"{name}.{DOMAIN}")


def test_a_name_leads_to_its_service(running: Running) -> None:
    for name in running.services:
        until(f"{name}'s certificate", partial(_answers, running, name), 20)


def test_who_trusts_another_authority_is_not_let_believe(running: Running) -> None:
    with (
        pytest.raises(ssl.SSLCertVerificationError),
        socket.create_connection(("127.0.0.1", PORT), 10) as reached,
    ):
        ssl.create_default_context().wrap_socket(reached, server_hostname=f"models.{DOMAIN}")


def test_the_authority_vouches_for_no_other_domain_no_address_and_no_mail(running: Running, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(running.certificate)
    (tmp_path / "ca.key").write_text(running.key)

    def verified(name: str) -> str:
        signed = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                  "-subj", "/CN=a leaf", "-addext", f"subjectAltName={name}", "-addext",
                  "basicConstraints=critical,CA:FALSE", "-CA", str(tmp_path / "ca.crt"),
                  "-CAkey", str(tmp_path / "ca.key"), "-keyout", "/dev/null",
                  "-out", str(tmp_path / "leaf.crt")]  # fmt: skip
        subprocess.run(signed, check=True, capture_output=True)
        ran = subprocess.run(["openssl", "verify", "-CAfile", tmp_path / "ca.crt", tmp_path / "leaf.crt"],
                             capture_output=True, text=True)  # fmt: skip
        return ran.stdout + ran.stderr

    for other in ("DNS:bank.example.org", "IP:192.168.1.1", "IP:2001:db8::1", "email:me@bank.example.org"):
        assert re.search("permitted subtree violation|excluded subtree violation", verified(other)), other
    assert "OK" in verified(f"DNS:models.{DOMAIN}")


def test_a_name_that_is_none_of_its_is_told_which_are(running: Running) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(running, "models", Host=f"nothing.{DOMAIN}")
    assert refused.value.code == 404
    assert refused.value.read().decode() == (
        f"expected one of models.{DOMAIN}, wiki.{DOMAIN}, gone.{DOMAIN}, got nothing.{DOMAIN}\n"
    )


def test_a_service_that_is_away_is_a_502(running: Running) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(running, "gone")
    assert refused.value.code == 502


def test_what_a_service_streams_comes_as_it_is_sent(running: Running) -> None:
    service = running.services["models"]
    with connected(running, "models") as client:
        client.sendall(f"GET /stream HTTP/1.1\r\nHost: models.{DOMAIN}\r\n\r\n".encode())
        said = b""
        while b"first" not in said:
            said += client.recv(4096)
        assert b"second" not in said
        service.may_end.set()
        while b"second" not in said:
            said += client.recv(4096)


def test_headers_that_do_not_end_are_waited_for_a_while_only(running: Running) -> None:
    with connected(running, "models") as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        began = time.monotonic()
        client.settimeout(10)
        assert b"200" not in client.recv(4096)  # told, or cut off
        assert time.monotonic() - began < 5


def test_headers_without_measure_are_refused(running: Running) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(running, "models", Cookie="x" * (ingress.HEADERS_BYTES + (16 << 10)))
    assert refused.value.code == 431


def test_after_a_new_start_the_same_authority_vouches(running: Running, tmp_path: Path) -> None:
    before = running.caddy.pid
    running.caddy.stop()
    subprocess.run(["rm", "-rf", Path(str(running.command[-1])).parent / "storage"], check=True)
    running.caddy = start(running.command, tmp_path)
    assert running.caddy.pid != before
    until("an answer", lambda: _answers(running, "models"), 30)


def _answers(running: Running, name: str) -> bool:
    try:
        return get(running, name) == name
    except OSError:
        return False
