"""Media of collections: only signed addresses, only media, ranges for players."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.conftest import png_bytes, wav_bytes
from workbench.collection.importing import import_collection
from workbench.collection.store import open_collection
from workbench.ui.media_route import MediaRoute
from workbench.workspace import Workspace


@pytest.fixture
def collection(workspace: Workspace, tmp_path: Path) -> str:
    folder = tmp_path / "source"
    (folder / "sounds").mkdir(parents=True)
    rows = ["word,sound"]
    for row in range(8):
        (folder / "sounds" / f"{row}.wav").write_bytes(wav_bytes(200.0 + 50 * row))
        rows.append(f"word {row},sounds/{row}.wav")
    (folder / "pairs.csv").write_text("\n".join(rows))
    import_collection(workspace, "sounds", folder)
    return "sounds"


def serve(workspace: Workspace) -> tuple[MediaRoute, TestClient]:
    route = MediaRoute(workspace)
    return route, TestClient(Starlette(routes=[route.route()]))


def test_a_signed_address_gives_the_bytes_and_says_what_they_are(workspace: Workspace, collection: str) -> None:
    route, client = serve(workspace)
    opened = open_collection(workspace, collection)
    answer = client.get(route.url(collection, opened.fingerprint, "corpus", 2, "audio"))
    assert answer.status_code == 200
    assert answer.content == opened.item("corpus", 2).audio
    assert answer.headers["content-type"].startswith("audio/")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "private" in answer.headers["cache-control"]
    thumb = client.get(route.url(collection, opened.fingerprint, "corpus", 2, "thumb"))
    assert thumb.headers["content-type"] == "image/webp"


def test_an_address_without_its_own_signature_is_refused(workspace: Workspace, collection: str) -> None:
    route, client = serve(workspace)
    fingerprint = open_collection(workspace, collection).fingerprint
    good = route.url(collection, fingerprint, "corpus", 2, "audio")
    assert client.get(good.split("?")[0]).status_code == 403
    assert client.get(good.split("?")[0] + "?sig=" + "0" * 40).status_code == 403
    assert client.get(good.replace("/corpus/2/", "/corpus/3/")).status_code == 403
    assert client.get(MediaRoute(workspace).url(collection, fingerprint, "corpus", 2, "audio")).status_code == 403


def test_a_signed_address_of_nothing_is_not_found(workspace: Workspace, collection: str) -> None:
    route, client = serve(workspace)
    fingerprint = open_collection(workspace, collection).fingerprint
    for address in (
        route.url(collection, fingerprint, "corpus", 999, "audio"),
        route.url(collection, fingerprint, "corpus", 2, "video"),
        route.url(collection, "another", "corpus", 2, "audio"),
        route.url("no-such", fingerprint, "corpus", 2, "audio"),
        route.url("..", fingerprint, "corpus", 2, "audio"),
    ):
        assert client.get(address).status_code in (403, 404), address


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("bytes=0-3", 206, "bytes 0-3/"),
        ("bytes=-4", 206, "bytes "),
        ("bytes=10-", 206, "bytes 10-"),
        ("bytes=99999999-", 416, "bytes */"),
        ("bytes=3-1", 416, "bytes */"),
        ("rows=1-2", 200, ""),
        ("bytes=x-y", 200, ""),
    ],
)
def test_a_player_may_ask_for_a_range(
    workspace: Workspace, collection: str, asked: str, status: int, said: str
) -> None:
    route, client = serve(workspace)
    opened = open_collection(workspace, collection)
    data = opened.item("corpus", 0).audio or b""
    answer = client.get(route.url(collection, opened.fingerprint, "corpus", 0, "audio"), headers={"Range": asked})
    assert answer.status_code == status
    assert answer.headers.get("content-range", "").startswith(said)
    if status == 206:
        assert answer.content in data
        assert len(answer.content) < len(data)


def test_text_that_pretends_to_be_a_picture_is_never_sent(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.collection import store

    folder = tmp_path / "pictures"
    folder.mkdir()
    rows = ["word,picture"]
    for row in range(6):
        (folder / f"{row}.png").write_bytes(png_bytes((row * 40, 9, 9)))
        rows.append(f"word {row},{row}.png")
    (folder / "pairs.csv").write_text("\n".join(rows))
    import_collection(workspace, "pictures", folder)
    page = b"<html><script>alert(1)</script></html>"
    monkeypatch.setattr(store, "item_from_row", lambda row: store.Item(image=page))
    route, client = serve(workspace)
    fingerprint = open_collection(workspace, "pictures").fingerprint
    assert client.get(route.url("pictures", fingerprint, "corpus", 0, "image")).status_code == 404
