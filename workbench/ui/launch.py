"""Starting the page: the workspace, the notices, Gradio's options, our route and our middleware."""

from __future__ import annotations

import importlib.util
import logging
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.ui import demo
from workbench.ui.page import build_page
from workbench.ui.plots import plotly_file
from workbench.ui.security import is_loopback, middleware
from workbench.ui.theme import ASSETS, STYLES, head, make_theme
from workbench.workspace import Workspace, open_workspace

LOG = logging.getLogger(__name__)
LARGEST_UPLOAD = "4gb"


def serve(root: str | None, host: str, port: int, *, auth: str | None = None, with_demo: bool = False) -> None:
    """Open the workspace at `root` and serve the page until the process is stopped.

    Raises WorkbenchError if the workspace cannot be used, the port is taken or `auth` is not USER:PASSWORD.
    """
    login = read_auth(auth)
    workspace = open_workspace(root)
    _reach_ourselves_without_a_proxy()
    blocks, page = build_page(workspace, notices(workspace, host, login is not None))
    page.may_run_code = login is not None or (is_loopback(host) and not os.environ.get("SPACE_ID"))
    gr.set_static_paths([ASSETS, plotly_file()])
    if with_demo:
        demo.start(workspace)
    try:
        blocks.launch(**launch_options(host, port, login, [page.media.route(), page.downloads.route()]))
    except OSError as error:
        raise WorkbenchError(f"Port {port} on {host} cannot be used: {error}. Choose another with --port.") from error


def read_auth(words: str | None) -> tuple[str, str] | None:
    """``USER:PASSWORD`` as a pair; raises WorkbenchError if either is missing."""
    if words is None:
        return None
    user, colon, password = words.partition(":")
    if not (colon and user and password):
        raise WorkbenchError("--auth takes USER:PASSWORD, both with at least one character.")
    return user, password


def notices(workspace: Workspace, host: str, has_login: bool) -> list[str]:
    """The sentences that stand above every tab: what an owner of this page must know."""
    found = []
    on_space = bool(os.environ.get("SPACE_ID"))
    if not on_space and not is_loopback(host) and not has_login:
        found.append(
            "Anyone who can reach this machine can use this page: it listens beyond this computer and asks for no "
            "password. Start it with --auth USER:PASSWORD, or without --host."
        )
    if on_space and not has_login:
        found.append(
            "Whoever can open this Space can use this page and see its data. Make the Space private in its settings "
            "unless that is what you want."
        )
    if on_space and not _is_kept(workspace.root):
        found.append(
            "This Space has no storage attached: collections, runs and indexes are lost when it restarts. Attach a "
            "volume in the Space's settings to keep them."
        )
    return found


def launch_options(host: str, port: int, login: tuple[str, str] | None, routes: list[Any]) -> dict[str, Any]:
    """Everything that ``Blocks.launch`` is given; kept apart so that a test can look at it."""
    return {
        "server_name": host,
        "server_port": port,
        "auth": login,
        "share": False,
        "inbrowser": False,
        "show_error": False,
        "enable_monitoring": False,
        "run_history": False,
        "footer_links": [],
        "max_file_size": LARGEST_UPLOAD,
        "strict_cors": True,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": serves_tools(login),
        "favicon_path": str(ASSETS / "icon.svg"),
        "theme": make_theme(),
        "css_paths": [str(path) for path in STYLES],
        "head": head(),
        "app_kwargs": {
            "routes": routes,
            "middleware": middleware(host),
            "docs_url": None,
            "redoc_url": None,
        },
    }


def serves_tools(login: tuple[str, str] | None) -> bool:
    """Whether the endpoints are MCP tools too: where `mcp` is installed, and never beside a login.

    Gradio answers /gradio_api/mcp without asking for the name and the password.
    """
    return login is None and importlib.util.find_spec("mcp") is not None


def _is_kept(root: Path) -> bool:
    volume = Path("/data")
    return root.is_relative_to(volume) and volume.is_mount()


def _reach_ourselves_without_a_proxy() -> None:
    """With HTTP_PROXY set, Gradio's check that it can be reached would ask the proxy for 127.0.0.1, and fail."""
    for name in ("NO_PROXY", "no_proxy"):
        given = [part for part in os.environ.get(name, "").split(",") if part]
        os.environ[name] = ",".join(dict.fromkeys([*given, "localhost", "127.0.0.1", "::1"]))
