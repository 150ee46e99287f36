"""Addresses of servers that a user names: which are plain, which are near, and which are never asked."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from workbench.errors import WorkbenchError

METADATA_HOSTS = ("169.254.169.254", "metadata.google.internal", "fd00:ec2::254", "100.100.100.200")


@dataclass(frozen=True)
class Advice:
    """What the words about a server say of its own kind: how an address looks, and where its key belongs."""

    address: str
    key: str


def check_address(address: str, advice: Advice, paths: tuple[str, ...] = ()) -> str:
    """The address without the slash, or one of the `paths` of a call, at its end.

    Raises WorkbenchError unless it is a plain http(s) address: a password or key in it would end up on the disk.
    """
    address = address.strip().rstrip("/")
    for path in paths:
        address = address.removesuffix(path)
    # What stands before an “@” or behind a “?” may be a secret.
    shown = address.rpartition("@")[2].partition("?")[0][:200]
    try:
        parts = urlsplit(address)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        raise WorkbenchError(f"“{shown}” is no address. {advice.address}") from None
    if parts.username or parts.password or parts.query or parts.fragment or "@" in address:
        raise WorkbenchError(f"The address of the endpoint must hold no password, key or “?”. {advice.key}")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok or not address.isprintable():
        raise WorkbenchError(f"“{shown}” is no http or https address. {advice.address}")
    if holds_secrets(parts.hostname):
        raise WorkbenchError(f"“{parts.hostname}” holds the secrets of a cloud machine and is never asked.")
    return address


def holds_secrets(host: str) -> bool:
    """Whether a host is the metadata service of a cloud, in any of the ways to write its number."""
    if host.lower().rstrip(".") in METADATA_HOSTS:
        return True
    try:
        number = ipaddress.ip_address(socket.inet_aton(host)) if ":" not in host else ipaddress.ip_address(host)
    except (OSError, ValueError):
        return False
    mapped = getattr(number, "ipv4_mapped", None)
    return str(mapped or number) in METADATA_HOSTS


def host_of(address: str) -> str:
    return (urlsplit(address).hostname or "").lower()


def is_near(host: str) -> bool:
    """Whether a host is this machine or one of the local network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".home.arpa", ".localhost"))
