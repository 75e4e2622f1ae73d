"""Where a webhook may lead: to public addresses only, or a client could have this service call its own network.

The name is resolved here, every address of it is looked at, and the connection is made to the address that was looked
at: a name that changes its mind in between (DNS rebinding) gains nothing.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from api.jobs.refusals import WebhookRefused

LONGEST = 2000  # characters of an address
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Target:
    """A webhook's address, taken apart."""

    tls: bool
    host: str
    port: int
    path: str


def parsed(url: str, allowed: tuple[str, ...]) -> Target:
    """The parts of `url`; raises `WebhookRefused`. Hosts that are `allowed` need no TLS."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookRefused(f"it is no address: {error}") from error
    reason = _flaw(url, parts, allowed)
    if reason:
        raise WebhookRefused(reason)
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(tls, parts.hostname or "", port or (443 if tls else 80), path)


def _flaw(url: str, parts: SplitResult, allowed: tuple[str, ...]) -> str:
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        return f"it must be at most {LONGEST} characters of printable ASCII"
    if not parts.hostname or "@" in parts.netloc or parts.fragment:
        return "it needs a host, and has no user, password or fragment"
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in allowed):
        return "it must begin with https://"
    return ""


def resolved(target: Target, allowed: tuple[str, ...]) -> str:
    """An address to connect to; raises `WebhookRefused` when one of the host's is not public, OSError when unknown."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise WebhookRefused(f"{target.host} is no name of a host") from error
    addresses = [str(entry[4][0]) for entry in found]
    if target.host not in allowed:
        for address in addresses:
            if not is_public(ipaddress.ip_address(address.partition("%")[0])):
                raise WebhookRefused(f"{target.host} is not a public address")
    return addresses[0]


def is_public(address: Address) -> bool:
    """Whether it is an address of the public internet, also where one is wrapped into another."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def check(url: str, allowed: tuple[str, ...]) -> None:
    """Raises `WebhookRefused`. A name that cannot be resolved here is looked at again when the webhook is due."""
    target = parsed(url, allowed)
    try:
        resolved(target, allowed)
    except OSError:
        return
