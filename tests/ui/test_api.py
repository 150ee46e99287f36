"""The page for programs: documented endpoints that answer as the commands do, and refuse as the page does."""

from __future__ import annotations

import base64
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from tests.conftest import png_bytes, wav_bytes
from tests.index.toys import ToyEmbedder, ToyReranker, make_collection, texts
from tests.ui.conftest import App, start_app
from workbench import jobs
from workbench.collection.store import Item
from workbench.index.build import build_index
from workbench.index.registry import get_index, publish
from workbench.index.search import Searcher
from workbench.job_folder import JobFolder, create_job_folder
from workbench.ui.api import Api
from workbench.ui.api_calls import in_words
from workbench.ui.page import Page
from workbench.workspace import Workspace, open_workspace

OPEN = [name for name, call in vars(Api).items() if inspect.isfunction(call) and not name.startswith("_")]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def api(workspace: Workspace) -> Api:
    """Over an index of twenty texts, a picture and a sound, searched by toys."""
    toy = ToyEmbedder()
    documents = [*texts(20), Item(image=png_bytes()), Item(audio=wav_bytes())]
    make_collection(workspace, "words", documents)
    build_index(workspace, "words", "words", "toy", embedder=toy)
    with gr.Blocks():
        page = Page(workspace)
    page.searcher = Searcher(
        workspace, load_embedder=lambda *_, **__: toy, load_reranker=lambda *_, **__: ToyReranker()
    )
    return Api(page)


@pytest.mark.parametrize("name", OPEN)
def test_every_endpoint_says_what_it_does_and_what_each_of_its_inputs_is(name: str) -> None:
    call = getattr(Api, name)
    first, _, inputs = inspect.getdoc(call).partition("Args:")
    assert len(first.split()) >= 8
    described = re.findall(r"^\s*(\w+): ([^\n]+)\.$", inputs, re.MULTILINE)
    assert [name for name, _ in described] == [name for name in inspect.signature(call).parameters if name != "self"]


def test_a_search_returns_what_the_command_prints(api: Api) -> None:
    found = api.search_text("words", "document 3", top=5, modality="text")
    expected = api.page.searcher.search("words", Item(text="document 3"), top=5, modality="text").as_json()
    timeless = {"milliseconds", "per_second"}
    assert {key: found[key] for key in found.keys() - timeless} == {
        key: expected[key] for key in expected.keys() - timeless
    }
    assert len(found["hits"]) == 5
    json.dumps(found, allow_nan=False)


def test_pictures_and_sounds_find_themselves(api: Api) -> None:
    assert api.search_picture("words", encoded(png_bytes()))["hits"][0]["modality"] == "image"
    told = f"data:audio/wav;base64,{encoded(wav_bytes())}"
    assert api.search_sound("words", told)["hits"][0]["modality"] == "audio"


def test_more_like_this_leaves_the_document_itself_out(api: Api) -> None:
    first = api.search_text("words", "document 3", top=1)["hits"][0]
    found = api.more_like_this("words", first["id"], top=4)
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3, 4]
    assert first["id"] not in [hit["id"] for hit in found["hits"]]
    away = api.more_like_this("words", first["id"], unlike=found["hits"][0]["id"], top=4)
    assert away["hits"][0]["id"] != found["hits"][0]["id"]


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("search_text", {"index": "none", "text": "x"}, "There is no index named “none”"),
        ("search_text", {"index": "../words", "text": "x"}, "name"),
        ("search_text", {"index": "words", "text": " "}, "nothing to search for"),
        ("search_text", {"index": "words", "text": "x", "reranker": "/etc"}, "cannot be used on the page"),
        ("search_text", {"index": "words", "text": "x", "reranker": "remote:paid"}, "cannot be used on the page"),
        ("search_text", {"index": "words", "text": "x", "where": ["colour"]}, "COLUMN=VALUE|column"),
        ("search_picture", {"index": "words", "picture": "/etc/passwd"}, "not in base64"),
        ("search_picture", {"index": "words", "picture": "http://127.0.0.1/x.png"}, "not in base64"),
        ("search_picture", {"index": "words", "picture": encoded(b"no picture")}, "cannot be searched with"),
        ("search_picture", {"index": "words", "picture": "A" * (90 << 20)}, "larger than 64 MB"),
        ("more_like_this", {"index": "words", "document": "gone"}, "no document “gone”"),
        ("start_training", {"collection": "words", "model": "/tmp"}, "cannot be used on the page"),
        ("start_training", {"collection": "words", "kind": "magic"}, "no kind of model"),
        ("start_training", {"collection": "words", "settings": ["teacher_model=/etc"]}, "cannot be used on the page"),
        ("evaluate", {"collection": "words", "models": ["remote:paid"]}, "cannot be used on the page"),
        ("run_state", {"name": "../runs"}, "name"),
        ("update_index", {"index": "none"}, "There is no index named “none”"),
    ],
)
def test_what_a_visitor_may_not_do_is_refused_in_words(api: Api, name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(gr.Error, match=said):
        in_words(getattr(api, name))(**given)
    assert not jobs.list_jobs(api.workspace) and not jobs.list_runs(api.workspace)


def test_an_unforeseen_error_gives_nothing_away(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def open_drawer() -> dict[str, Any]:
        raise RuntimeError("secret detail")

    with pytest.raises(gr.Error, match="did not foresee") as caught:
        in_words(open_drawer)()
    assert "secret detail" not in str(caught.value) and "secret detail" in caplog.text


def test_an_index_of_a_paid_model_is_not_updated_from_afar(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, dict[str, Any]]] = []

    def start(_: Workspace, work: str, name: str, spec: dict[str, Any]) -> JobFolder:
        started.append((work, spec))
        return create_job_folder(api.workspace.job(name), work, spec, {})

    monkeypatch.setattr(jobs, "start", start)
    assert api.update_index("words", wait=False)["run"] == "update-words"
    assert [(work, spec["name"], spec["action"]) for work, spec in started] == [("index", "words", "update")]
    publish(api.workspace, replace(get_index(api.workspace, "words"), model="remote:paid"))
    with pytest.raises(gr.Error, match="python -m workbench index update words"):
        in_words(api.update_index)("words")
    assert len(started) == 1


def test_training_and_evaluation_are_started_with_the_specs_of_the_commands(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.collection.demo import make_demo

    make_demo(workspace, "demo", scenes=12)
    started: list[tuple[str, str, dict[str, Any]]] = []

    def start(_: Workspace, work: str, name: str, spec: dict[str, Any]) -> JobFolder:
        started.append((work, name, spec))
        folder = workspace.run(name) if work == "train" else workspace.job(name)
        return create_job_folder(folder, work, spec, {})

    monkeypatch.setattr(jobs, "start", start)
    with gr.Blocks():
        api = Api(Page(workspace))
    told = api.start_training("demo", preset="quick", settings=["epochs=2"])
    assert (told["run"], told["state"]) == ("demo-quick", "queued")
    assert api.evaluate("demo", ["starter"], dimensions=[64], wait=False)["result"] is None
    (train, name, run), (evaluate, _, asked) = started
    assert (train, name, run["settings"]["epochs"], run["model"]) == ("train", "demo-quick", 2, "starter")
    assert (evaluate, asked["models"], asked["dimensions"], asked["precisions"]) == (
        "evaluate", ["starter"], [64], ["float32"],
    )  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A real page over a small demo that can be searched with the starter."""
    from workbench.collection.demo import make_demo

    workspace = open_workspace(tmp_path_factory.mktemp("served") / "workspace")
    make_demo(workspace, "demo", scenes=6)
    build_index(workspace, "demo", "demo", "starter")
    app = start_app(workspace)
    yield app
    app.stop()


@pytest.mark.slow
def test_a_program_asks_the_page(served: App) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(served.url, verbose=False, analytics_enabled=False)
    told = client.view_api(return_format="dict", print_info=False)
    assert sorted(told["named_endpoints"]) == sorted(f"/{name}" for name in OPEN)
    assert "Search an index by words" in told["named_endpoints"]["/search_text"]["description"]
    assert told["unnamed_endpoints"] == {}

    listed = client.predict(api_name="/list_indexes")
    assert [(one["index"], one["collection"], one["rows"]) for one in listed["indexes"]] == [("demo", "demo", 12)]
    assert [one["collection"] for one in client.predict(api_name="/list_collections")["collections"]] == ["demo"]
    found = client.predict("demo", "a red circle", top=3, modality="image", api_name="/search_text")
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3]
    assert found["model"] == "starter"
    like = client.predict("demo", found["hits"][0]["id"], api_name="/more_like_this")
    assert len(like["hits"]) == 10
    with pytest.raises(AppError, match="There is no index named “none”"):
        client.predict("none", "a red circle", api_name="/search_text")


@pytest.mark.slow
def test_a_model_with_tools_asks_the_page(served: App) -> None:
    pytest.importorskip("mcp", reason='mcp is not installed: pip install "mcp>=1.21,<2"')
    import anyio
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def ask() -> tuple[list[Any], Any, Any]:
        async with (
            streamablehttp_client(f"{served.url}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            found = await session.call_tool("search_text", {"index": "demo", "text": "a red circle", "top": 2})
            wrong = await session.call_tool("search_text", {"index": "none", "text": "a red circle"})
            return tools, found, wrong

    tools, found, wrong = anyio.run(ask)
    assert sorted(tool.name for tool in tools) == sorted(OPEN)
    search = next(tool for tool in tools if tool.name == "search_text")
    assert search.inputSchema["required"] == ["index", "text"]
    assert search.inputSchema["properties"]["top"]["description"] == "How many hits, 1 to 1000."
    assert search.description.startswith("Search an index by words.")
    assert not found.isError and found.content[0].text.count("'rank'") + found.content[0].text.count('"rank"') == 2
    assert wrong.isError and "There is no index named “none”" in wrong.content[0].text
