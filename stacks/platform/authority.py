"""An authority for the names of one domain, as a Pulumi resource: its key is a secret output, its certificate none.

It may vouch for servers whose names end with that domain and for nothing else (RFC 5280: name constraints, 4.2.1.10;
extended key usage, 4.2.1.12), so whoever trusts it trusts it with nothing else.
"""

import subprocess
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from tools.obtain import ToolError

DAYS: Final = 3650
REQUEST: Final = """\
[req]
distinguished_name = subject
x509_extensions = authority
prompt = no
[subject]
CN = Homespun's ingress
[authority]
basicConstraints = critical, CA:TRUE, pathlen:1
keyUsage = critical, keyCertSign, cRLSign
extendedKeyUsage = serverAuth
nameConstraints = critical, @names
subjectKeyIdentifier = hash
[names]
permitted;DNS.0 = {domain}
permitted;email.0 = {domain}
excluded;IP.0 = 0.0.0.0/0.0.0.0
excluded;IP.1 = 0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0
"""
"""For openssl-req(1). What no constraint names is permitted, so each kind of name has one."""
END_OF_KEY: Final = "-----END PRIVATE KEY-----\n"


def make(domain: str) -> tuple[str, str]:
    """Certificate and key, PEM. The key is never in a file. Raises ToolError with openssl's words."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", str(DAYS), "-config", "/dev/stdin", "-keyout", "-", "-out", "-"]  # fmt: skip
    ran = subprocess.run(command, input=REQUEST.format(domain=domain), capture_output=True, text=True)
    if ran.returncode:
        raise ToolError(f"openssl req: expected a certificate for {domain}, it says: {ran.stderr.strip()}")
    key, end, certificate = ran.stdout.partition(END_OF_KEY)
    return certificate, key + end


class AuthorityProvider(ResourceProvider):
    """Makes it, once."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """For another domain it is another one."""
        replaces = ["domain"] if olds.get("domain") != news.get("domain") else []
        return DiffResult(changes=bool(replaces), replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """A key and its certificate."""
        certificate, key = make(props["domain"])
        return CreateResult(props["domain"], {**props, "certificate": certificate, "key": key})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """As recorded: it is nowhere else."""
        return ReadResult(id_, props)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Not reached, for `diff` replaces; the engine wants the outputs whole all the same."""
        return UpdateResult({**news, "certificate": olds["certificate"], "key": olds["key"]})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: it is in Pulumi's state alone."""


class Authority(Resource, module="homespun", name="Authority"):
    """Vouches for the names of one domain."""

    certificate: pulumi.Output[str]
    """PEM."""
    key: pulumi.Output[str]
    """PEM; a secret."""

    def __init__(self, name: str, domain: str) -> None:
        """`domain` is what the names end with."""
        inputs = {"domain": domain, "certificate": None, "key": None}
        super().__init__(AuthorityProvider(), name, inputs, pulumi.ResourceOptions(additional_secret_outputs=["key"]))
