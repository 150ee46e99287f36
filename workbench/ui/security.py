"""What stands between the network and the page: whose requests are answered, and what a browser may do with it.

Gradio by itself answers any Host header (so a foreign web page can reach it by DNS rebinding) and takes uploads from
any origin; both are closed here.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import psutil
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ALWAYS_TRUSTED = ("localhost", "127.0.0.1", "[::1]", "*.hf.space")
EVERYWHERE = ("0.0.0.0", "::", "[::]")
# Gradio builds functions from strings and styles from scripts, so these two must stay; everything else is ours alone.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        # A Space is shown inside the Hub's own page; nobody else has a reason to frame this one.
        "frame-ancestors 'self' https://huggingface.co" if os.environ.get("SPACE_ID") else "frame-ancestors 'self'",
    )
)
HEADERS = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def trusted_hosts(host: str) -> list[str]:
    """The Host headers that are answered: this machine's names and addresses, a Space's, the one asked for."""
    names = [*ALWAYS_TRUSTED, host]
    if host in EVERYWHERE:
        machine = socket.gethostname()
        names += [machine, f"{machine}.local", socket.getfqdn()]
        names += [address.address.partition("%")[0] for card in psutil.net_if_addrs().values() for address in card]
    return list(dict.fromkeys(name for name in names if name and name not in EVERYWHERE))


def middleware(host: str) -> list[Middleware]:
    """The layers for ``launch(app_kwargs={"middleware": …})``, outermost first."""
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=trusted_hosts(host), www_redirect=False),
        Middleware(SameOriginWrites),
        Middleware(SecurityHeaders),
    ]


class Signer:
    """Signs addresses (HMAC-SHA256 with a key made at start), so that only a page of this process can make them."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def address(self, prefix: str, path: str) -> str:
        """The address of `path` below `prefix`, with its signature."""
        return f"{prefix}/{path}?sig={self._sign(path)}"

    def signed(self, request: Request, path: str) -> bool:
        """Whether a request bears the signature of `path`."""
        return hmac.compare_digest(self._sign(path).encode(), request.query_params.get("sig", "").encode())

    def _sign(self, path: str) -> str:
        return hmac.new(self._key, path.encode(), hashlib.sha256).hexdigest()[:40]


class SameOriginWrites:
    """Refuses a POST, PUT or DELETE that another web site's page sends through the user's browser."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
            origin = headers.get("origin", "")
            own = {headers.get("host", ""), headers.get("x-forwarded-host", "")} - {""}
            if origin and urlsplit(origin).netloc not in own:
                await send(
                    {"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]}
                )
                await send({"type": "http.response.body", "body": b"Requests from another web site are refused."})
                return
        await self.app(scope, receive, send)


class SecurityHeaders:
    """Adds the content policy and its companions to every answer that does not bring its own."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {key.lower() for key, _ in message.get("headers", [])}
                extra = [(key, value) for key, value in HEADERS if key not in given]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)
