"""What single settings may be, and how they are said."""

import re
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

from homespun.hosts.cluster import NODE_PORTS

PREFIX: Final = "homespun:"


class Section(BaseModel):
    """Settings that belong together, each once and none unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


def size(longest: int) -> AfterValidator:
    """A network has to be private, and of this prefix or a shorter one."""

    def check(network: IPv4Network) -> IPv4Network:
        if network.prefixlen > longest or not network.is_private:
            raise ValueError(f"a private network of /{longest} or larger")
        return network

    return AfterValidator(check)


def word(most: int) -> BeforeValidator:
    """A name of at most so many letters."""
    return BeforeValidator(lambda value: check_word(value, most))


def check_word(value: Any, most: int) -> str:
    """A lower-case word. Raises ValueError."""
    text = str(value)
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", text) or len(text) > most:
        raise ValueError(f"a lower-case word of at most {most} letters, digits and dashes")
    return text


def _network(value: Any) -> IPv4Network:
    try:
        return IPv4Network(str(value))
    except ValueError:
        raise ValueError("an IPv4 network such as 10.41.0.0/24") from None


def _namespace(value: Any) -> str:
    text = check_word(value, 40)
    if text == "default" or text.startswith(("kube-", "homespun")):
        raise ValueError("a namespace of its own, none of Kubernetes' or the platform's")
    return text


def _list(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError("a list")
    return value


def _address(value: Any) -> IPv4Address:
    try:
        address = IPv4Address(str(value))
    except ValueError:
        raise ValueError("an IPv4 address such as 192.168.1.20") from None
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        raise ValueError("an IPv4 address at which a machine is reached")
    return address


def _path(value: Any) -> Path:
    return Path(str(value)).expanduser().absolute()


def matching(pattern: str, expected: str) -> BeforeValidator:
    """A text of that pattern; `expected` says it in a message."""

    def check(value: Any) -> str:
        if not re.fullmatch(pattern, str(value)):
            raise ValueError(expected)
        return str(value)

    return BeforeValidator(check)


def whole(allowed: range, expected: str) -> BeforeValidator:
    """A whole number within a range; as the engine hands it over, it is a string."""

    def check(value: Any) -> int:
        if not (str(value).isdecimal() and int(value) in allowed):
            raise ValueError(expected)
        return int(value)

    return BeforeValidator(check)


def _dollars(value: Any) -> Decimal:
    try:
        found = Decimal(str(value))
    except ArithmeticError:
        found = Decimal(0)
    if not found.is_finite() or found <= 0:
        raise ValueError("dollars, more than 0, such as 0.45")
    return found


Network = Annotated[IPv4Network, BeforeValidator(_network)]
Dollars = Annotated[Decimal, BeforeValidator(_dollars)]
Address = Annotated[IPv4Address, BeforeValidator(_address)]
Namespace = Annotated[str, BeforeValidator(_namespace)]
HostName = Annotated[
    str, matching(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "a name or an IPv4 address, without scheme and port")
]
Domain = Annotated[
    str, matching(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", "a domain such as home.internal")
]
NodePort = Annotated[int, whole(NODE_PORTS, f"a node port, {NODE_PORTS[0]} to {NODE_PORTS[-1]}")]
Number = Annotated[int, whole(range(1 << 16), "a number from 0 on")]
Port = Annotated[int, whole(range(1, 65536), "a port, 1 to 65535")]
Quantity = Annotated[str, matching(r"[1-9][0-9]*(Mi|Gi|Ti)", "a size such as 5Gi")]
Registry = Annotated[
    str, matching(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._/-]+)?(?<!/)", "a name such as registry.example.org/me")
]
FilePath = Annotated[Path, BeforeValidator(_path)]
HostKey = Annotated[
    str,
    matching(
        r"(ssh-ed25519|ecdsa-sha2-nistp[0-9]+|ssh-rsa) [A-Za-z0-9+/=]{40,}",
        "a host key such as `ssh-ed25519 AAAA…`, without name and comment",
    ),
]
User = Annotated[str, matching(r"[a-z_][a-z0-9_-]{0,31}", "a user's name")]
LISTED: Final = BeforeValidator(_list)


def one_of(expected: str, *words: object) -> BeforeValidator:
    """One of some words; `expected` says which in a message."""

    def check(value: Any) -> Any:
        if value not in words:
            raise ValueError(expected)
        return value

    return BeforeValidator(check)
