"""The page in a real browser: `app` serves a workspace in a subprocess, `page` is a tab of Chromium on it.

Without a browser these tests are skipped; with WORKBENCH_REQUIRE_BROWSER=1 they fail instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from workbench.workspace import Workspace, open_workspace

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 90.0


@dataclass
class App:
    """A running page: its address, its process, what it printed."""

    url: str
    workspace: Workspace
    process: subprocess.Popen[bytes]
    log: Path

    def at(self, **place: str) -> str:
        """The address of a place, for example `at(tab="runs", run="emoji-1")`."""
        return self.url + "?" + "&".join(f"{key}={value}" for key, value in place.items())

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the page's process, and wait until it is gone."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=60)


LEFT_BEHIND = re.compile("signal is aborted|Connection errored out|Failed to fetch|ERR_ABORTED")


@dataclass
class Browsing:
    """What a tab of the browser ran into; look at it at the end of a test."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_app(workspace: Workspace, *words: str, on_space: bool = False, **environment: str) -> App:
    """Serve `workspace` in a subprocess, and return when the page answers. The caller ends it.

    on_space: as a Space starts it, with nothing but the environment to say where.
    """
    port = free_port()
    log = workspace.root.parent / f"page-{port}.log"
    where = ["--workspace", str(workspace.root), "--host", "127.0.0.1", "--port", str(port)]
    if on_space:
        where = []
        environment |= {
            "SPACE_ID": "me/workbench",
            "GRADIO_SERVER_NAME": "0.0.0.0",
            "GRADIO_SERVER_PORT": str(port),
            "WORKBENCH_WORKSPACE": str(workspace.root),
        }
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", *where, *words],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environment},
        )
    app = App(f"http://127.0.0.1:{port}/", workspace, process, log)
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(app.url, timeout=5).close()
            return app
        except urllib.error.HTTPError:
            return app
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    app.stop(signal.SIGKILL)
    raise AssertionError(f"the page did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture
def app(workspace: Workspace) -> Iterator[App]:
    """The page over the test's own workspace. Fill the workspace first, or while it runs: the page reads the disk."""
    running = start_app(workspace)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def module_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One page for all tests of a module, over a workspace that they share."""
    running = start_app(open_workspace(tmp_path_factory.mktemp("shared") / "workspace"))
    yield running
    running.stop()


@pytest.fixture
def start(workspace: Workspace) -> Iterator[Callable[..., App]]:
    """`start(*words, **environment)`: as `app`, with words on its command line. All are ended with the test."""
    running: list[App] = []

    def begin(*words: str, **options: Any) -> App:
        running.append(start_app(workspace, *words, **options))
        return running[-1]

    yield begin
    for one in running:
        one.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, once for the tests of a module: while it is open its event loop runs, which other tests cannot have."""
    required = os.environ.get("WORKBENCH_REQUIRE_BROWSER") == "1"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        if required:
            raise
        pytest.skip("playwright is not installed: pip install -r tests/requirements.txt")
    path = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if path is None:
        reason = "there is no Chromium: apt-get install chromium"
        if required:
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def profile(browser: Any) -> Iterator[Any]:
    """One profile of the browser for the tests of a module, so that Gradio's scripts are read and compiled once.

    It asks for less motion: drawing what turns would cost the cores that the jobs under test need.
    """
    context = browser.new_context(reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def new_page(profile: Any) -> Iterator[Callable[..., Any]]:
    """`new_page(width=1280, height=860, dark=False)`: a tab of the browser, which remembers nothing of other tests.

    Its `.browsing` says what it asked for, and what went wrong.
    """
    pages = []

    def make(width: int = 1280, height: int = 860, dark: bool = False) -> Any:
        page = profile.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.set_default_timeout(90_000)
        page.browsing = watch(page)
        return page

    yield make
    for page in pages:
        if page.url.startswith("http"):
            page.evaluate("localStorage.clear(); sessionStorage.clear()")
        page.close()
    profile.clear_cookies()


@pytest.fixture
def page(new_page: Callable[..., Any]) -> Any:
    """One tab of the browser, 1280 × 860, light."""
    return new_page()


def watch(page: Any) -> Browsing:
    """Note every request, every error of a script, and every dialog (which is what an injected script would open)."""
    browsing = Browsing()
    page.on("request", lambda request: browsing.requests.append(request.url))
    page.on("pageerror", lambda error: browsing.errors.append(str(error)))
    page.on("console", lambda message: browsing.errors.append(message.text) if message.type == "error" else None)

    def note(dialog: Any) -> None:
        browsing.dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    return browsing


def open_tab(page: Any, app: App, tab: str, **place: str) -> None:
    """Go to a tab by its address, and wait until it is drawn.

    What Gradio says of answers that the page left behind was still waiting for is no fault.
    """
    errors = page.browsing.errors if hasattr(page, "browsing") else []
    before = len(errors)
    page.goto(app.at(tab=tab, **place))
    errors[before:] = [error for error in errors[before:] if not LEFT_BEHIND.search(error)]
    page.wait_for_selector(f"#go-{tab}[aria-current=page]")
    page.wait_for_selector(f"#tab-{tab} h1")


def axe(page: Any) -> list[str]:
    """What axe finds serious or critical on the page as it stands; its contrast in the light and in the dark."""
    from axe_playwright_python.base import AXE_FILE_PATH

    if not page.evaluate("'axe' in window"):
        page.evaluate(Path(AXE_FILE_PATH).read_text())
        # Colours fade from one theme to the other, and axe must not look in the middle of it.
        page.add_style_tag(content="*, *::before, *::after { transition: none !important; animation: none !important }")
    before = page.evaluate("wb.dark()")
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    page.evaluate("(dark) => wb.setTheme(dark ? 'light' : 'dark')", before)
    page.wait_for_timeout(100)
    found += page.evaluate("axe.run({runOnly: ['color-contrast'], resultTypes: ['violations']})")["violations"]
    page.evaluate("(dark) => wb.setTheme(dark ? 'dark' : 'light')", before)
    return [
        json.dumps([one["id"], [node["html"][:200] for node in one["nodes"][:3]]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def choose(page: Any, identifier: str, label: str) -> None:
    """Pick the option of one of Gradio's dropdowns whose words contain `label`."""
    page.click(f"#{identifier} input")
    page.locator("ul[role=listbox] li").filter(has_text=label).first.click()
