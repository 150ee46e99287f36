"""Whose requests are answered, what a browser may do with the page, and what its owner is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from workbench.errors import WorkbenchError
from workbench.ui import launch, security
from workbench.workspace import Workspace


def client(host: str = "127.0.0.1") -> TestClient:
    async def answer(request: object) -> PlainTextResponse:
        return PlainTextResponse("here")

    app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])], middleware=security.middleware(host))
    return TestClient(app, base_url="http://localhost:7860")


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "me-workbench.hf.space"])
def test_this_machine_and_a_space_are_answered(host: str) -> None:
    assert client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "hf.space.evil.example", ""])
def test_any_other_host_is_refused(host: str) -> None:
    assert client().get("/", headers={"Host": host}).status_code == 400


def test_the_host_that_was_asked_for_is_answered() -> None:
    assert client("workshop.lan").get("/", headers={"Host": "workshop.lan:7860"}).status_code == 200


def test_listening_everywhere_answers_this_machines_addresses_and_no_foreign_name() -> None:
    hosts = security.trusted_hosts("0.0.0.0")
    assert "127.0.0.1" in hosts
    assert "*" not in hosts
    assert client("0.0.0.0").get("/", headers={"Host": "evil.example"}).status_code == 400


def test_another_web_sites_page_cannot_post() -> None:
    assert client().post("/", headers={"Origin": "https://evil.example"}).status_code == 403
    assert client().post("/", headers={"Origin": "null"}).status_code == 403
    assert client().post("/", headers={"Origin": "http://localhost:7860"}).status_code == 200
    assert client().post("/").status_code == 200


def test_answers_carry_the_policy_that_allows_no_other_site() -> None:
    headers = client().get("/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "http:" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "alone"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_loopback_is_told_from_the_rest(host: str, alone: bool) -> None:
    assert security.is_loopback(host) is alone


def test_the_owner_is_warned_when_others_can_reach_the_page(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert launch.notices(workspace, "127.0.0.1", False) == []
    assert launch.notices(workspace, "0.0.0.0", True) == []
    assert "--auth USER:PASSWORD" in launch.notices(workspace, "0.0.0.0", False)[0]


def test_the_owner_of_a_space_without_storage_is_told(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "me/workbench")
    assert any("no storage" in sentence for sentence in launch.notices(workspace, "0.0.0.0", False))


def test_auth_wants_a_name_and_a_password() -> None:
    assert launch.read_auth("me:secret:word") == ("me", "secret:word")
    assert launch.read_auth(None) is None
    for wrong in ("me", "me:", ":secret"):
        with pytest.raises(WorkbenchError, match="USER:PASSWORD"):
            launch.read_auth(wrong)


def test_tools_are_served_where_mcp_is_installed_and_never_beside_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: object() if name == "mcp" else None)
    assert launch.serves_tools(None)
    assert not launch.serves_tools(("me", "secret"))
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None)
    assert not launch.serves_tools(None)


def test_the_page_is_launched_closed(workspace: Workspace) -> None:
    options = launch.launch_options("127.0.0.1", 7860, None, [])
    assert options["share"] is False
    assert options["enable_monitoring"] is False
    assert options["run_history"] is False
    assert options["show_error"] is False
    assert options["max_file_size"]
    assert "allowed_paths" not in options
    assert all(Path(path).exists() for path in [*options["css_paths"], options["favicon_path"]])
