"""The report of an evaluation as a page, an object and tables, with whatever users write into their texts."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from tests.conftest import png_bytes
from workbench import cli
from workbench.collection.store import Item, remove_collection
from workbench.errors import WorkbenchError
from workbench.evaluation.evaluate import evaluate
from workbench.evaluation.report_file import write_report
from workbench.evaluation.results import change_evaluation
from workbench.media import thumbnail
from workbench.workspace import open_workspace

from .conftest import ToyEmbedder, make_collection

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> &amp; </style>'
HELD = 20


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def of(self, tag: str, name: str = "") -> list[dict[str, str | None]]:
        return [one for kind, one in self.elements if kind == tag and name in [*(one.get("class") or "").split(), ""]]


def load(_, name):
    return ToyEmbedder(name, noise=3.0 if name == "starter" else 0.6)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """An evaluation of two models on pictures whose texts are as hostile as texts can be."""
    opened = open_workspace(tmp_path_factory.mktemp("reports"))
    picture = png_bytes((200, 30, 30), (64, 48))
    queries = [Item(text=f"{HOSTILE} =cmd {n}", id=f"q{n:03}") for n in range(HELD)]
    documents = [
        Item(text=f"{HOSTILE} {n}", image=picture, id=f"d{n:03}", thumbnail=thumbnail("image", picture))
        for n in range(HELD)
    ]
    judgements = [(f"q{n:03}", f"d{n:03}", 1.0, "eval") for n in range(HELD)]
    make_collection(opened, "pictures", queries, documents, judgements)
    evaluate(opened, "pictures", ["starter", "run:tuned"], precisions=["float32", "int8"], load=load, name="e")
    evaluate(opened, "pictures", ["starter"], load=load, name="alone")
    return opened


@pytest.fixture(scope="module")
def page(workspace, tmp_path_factory):
    [path] = write_report(workspace, "e", "html", tmp_path_factory.mktemp("page"))
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def said(workspace, tmp_path_factory):
    [path] = write_report(workspace, "e", "json", tmp_path_factory.mktemp("object"))
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_page_needs_nothing_but_itself_and_runs_nothing(page):
    assert not page.of("script") and not page.of("link") and not page.of("iframe") and not page.of("a")
    asked = [one[key] or "" for _, one in page.elements for key in ("src", "href", "action", "data") if key in one]
    assert asked and all(address.startswith("data:image/jpeg;base64,") for address in asked)
    assert not [key for _, one in page.elements for key in one if key.startswith("on")]
    policy = next(one["content"] for one in page.of("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_what_users_wrote_is_shown_as_they_wrote_it(page):
    assert f"{HOSTILE} =cmd" in page.words
    assert len(page.of("style")) == 1 and "alert" not in str([one for one in page.elements if one[0] != "img"])


def test_the_style_follows_the_system_and_needs_no_class(page):
    assert "@media screen and (prefers-color-scheme: dark) { :root {" in page.words
    assert ".dark" not in page.words and "@import" not in page.words and "url(" not in page.words


def test_the_numbers_of_the_page_are_those_of_the_object(page, said):
    rows = [row for row in said["results"] if row["direction"] == "all"]
    assert len(rows) == 2 * 2 * 3
    for row in rows:
        assert f"{row['ndcg@10']:.3f}" in page.words
        assert f"[{row['interval'][0]:.3f}, {row['interval'][1]:.3f}]" in page.words
    chosen = said["recommendation"]
    marked = [one for one in page.of("tr") if one.get("class") == "marked"]
    assert len(marked) == 1 and f"“{chosen['model'].removeprefix('run:')}” at {chosen['dimension']}" in page.words
    assert [one["verdict"] for one in said["comparisons"] if one["direction"] == "all"] == ["better"]
    assert "▲ Better" in page.words and "NDCG@10" in page.words


def test_each_model_is_a_line_with_its_band(page, said):
    charts = 1 + len(said["shown"])  # by dimensions: the uploaded direction, and each one by itself
    assert len(page.of("polygon", "band")) == 2 * charts and len(page.of("circle", "ring")) == 1
    by_bytes = len(page.of("polyline", "tone-1")) - charts
    assert len(page.of("polyline", "tone-base")) >= charts and by_bytes == 1


def test_examples_show_what_both_models_found_and_mark_what_is_relevant(page, said):
    examples = said["examples"]
    assert examples["models"] == ["starter", "run:tuned"] and examples["gained"]
    for one in examples["gained"]:
        number = one["query"]["id"][1:]
        assert one["ndcg"][1] > one["ndcg"][0] and one["answers"] == 1
        for found, rank in zip(one["found"], one["first_rank"], strict=True):
            places = [place for place, item in enumerate(found, start=1) if item["relevant"]]
            assert places == ([rank] if rank and rank <= len(found) else [])
            assert all(found[place - 1]["id"] == f"d{number}" for place in places)
    items = [item for key in ("gained", "lost") for one in examples[key] for found in one["found"] for item in found]
    marked = sum(item["relevant"] for item in items)
    assert len(page.of("li", "relevant")) == marked > 0


def test_the_tables_are_one_csv_each_and_no_cell_is_a_formula(workspace, tmp_path, said):
    [path] = write_report(workspace, "e", "csv", tmp_path)
    assert path.name == "e-report.zip"
    with zipfile.ZipFile(path) as archive:
        tables = {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}
    assert set(tables) >= {"results.csv", "comparisons.csv", "queries.csv"}
    results = list(csv.DictReader(io.StringIO(tables["results.csv"])))
    assert len(results) == len(said["results"]) and float(results[0]["ndcg@10"]) == said["results"][0]["ndcg@10"]
    queries = list(csv.DictReader(io.StringIO(tables["queries.csv"])))
    assert {row["model"] for row in queries} == {"starter", "run:tuned"} and len(queries) % (2 * HELD) == 0


def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe_and_a_negative_number_none(workspace, tmp_path):
    def add(found):
        return {**found, "slices": [
            {"family": "query: name", "value": "=HYPERLINK(1)", "model": "starter", "queries": 3, "ndcg@10": -0.5,
             "interval": [-0.75, 0.5], "small": True}
        ]}  # fmt: skip

    evaluate(workspace, "pictures", ["starter"], load=load, name="sliced")
    change_evaluation(workspace, "sliced", "pictures", add)
    [path] = write_report(workspace, "sliced", "csv", tmp_path)
    with zipfile.ZipFile(path) as archive:
        [row] = csv.DictReader(io.StringIO(archive.read("slices.csv").decode("utf-8-sig")))
    assert row["value"] == "'=HYPERLINK(1)" and row["interval low"] == "-0.75" and row["ndcg@10"] == "-0.5"


def test_a_path_that_ends_in_csv_gets_the_results_alone(workspace, tmp_path, said):
    [path] = write_report(workspace, "e", "csv", tmp_path / "mine" / "sizes.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    assert path == tmp_path / "mine" / "sizes.csv" and len(rows) == len(said["results"])


def test_an_evaluation_of_one_model_has_a_report_too(workspace, tmp_path):
    [path] = write_report(workspace, "alone", "html", tmp_path / "one.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert "nothing to compare it with" in page.words and not page.of("article")
    assert json.loads(write_report(workspace, "alone", "json", tmp_path)[0].read_text())["examples"] is None


def test_what_was_measured_afterwards_is_in_it(workspace, tmp_path):
    gain = {"difference": 0.1, "interval": [0.05, 0.15], "p": 0.001, "p_holm": 0.002, "verdict": "better"}
    rows = [
        {"stage": "embedder", "top": 0, "metrics": {"ndcg@10": 0.5}, "interval": [0.4, 0.6],
         "milliseconds": {"total": 3.0}, "gain": None},
        {"stage": "reranked", "top": 20, "metrics": {"ndcg@10": 0.6}, "interval": [0.5, 0.7],
         "milliseconds": {"total": None}, "gain": gain},
    ]  # fmt: skip
    pipeline = {"model": "starter", "reranker": "run:second", "fused": False, "direction": "all", "queries": 20,
                "rows": rows, "words": "Reranking the first 20 helps."}  # fmt: skip
    floor = {"model": "bm25", "direction": "text->text+image", "metrics": {"ndcg@10": 0.123}, "interval": [0.1, 0.2]}
    floor["comparisons"] = [{"model": "starter", **gain}]
    evaluate(workspace, "pictures", ["starter"], load=load, name="more")
    change_evaluation(
        workspace, "more", "pictures", lambda found: {**found, "pipelines": [pipeline], "floors": [floor]}
    )
    words = Page(write_report(workspace, "more", "html", tmp_path)[0].read_text(encoding="utf-8")).words
    assert "starter, second: Reranking the first 20 helps." in words and "The first 20 reranked" in words
    assert "+0.100" in words and "[0.050, 0.150]" in words
    assert "Full text (BM25)" in words and "0.123" in words and "Each model against full text" in words
    [path] = write_report(workspace, "more", "csv", tmp_path)
    with zipfile.ZipFile(path) as archive:
        inner = {
            name: archive.read(f"{name}.csv").decode("utf-8-sig") for name in ("against-floors", "pipelines", "speeds")
        }
    [against] = csv.DictReader(io.StringIO(inner["against-floors"]))
    assert (against["of model"], against["model"], against["verdict"]) == ("bm25", "starter", "better")
    stages = list(csv.DictReader(io.StringIO(inner["pipelines"])))
    assert [one["gain difference"] for one in stages] == ["", "0.1"] and stages[0]["milliseconds total"] == "3.0"
    assert len(list(csv.DictReader(io.StringIO(inner["speeds"])))) == 3


def test_it_can_be_written_when_the_collection_is_gone(tmp_path):
    opened = open_workspace(tmp_path / "workspace")
    queries, documents = ([Item(text=f"{side} {n}", id=f"{side}{n}") for n in range(HELD)] for side in "qd")
    make_collection(opened, "texts", queries, documents, [(f"q{n}", f"d{n}", 1.0, "eval") for n in range(HELD)])
    evaluate(opened, "texts", ["starter", "run:tuned"], load=load, name="e")
    remove_collection(opened, "texts")
    [path] = write_report(opened, "e")
    page = Page(path.read_text(encoding="utf-8"))
    assert path == opened.exports / "e-report.html"
    assert "only ids are left to show" in page.words and re.search(r"q\d+First relevant at rank", page.words)


@pytest.mark.parametrize(
    ("name", "form", "to", "told"),
    [
        ("none", "html", "", "There is no evaluation named “none”"),
        ("e", "pdf", "", "no form of a report. Choose one of html, json, csv, mteb, card"),
        ("e", "html", "taken/x.html", "cannot be written to"),
    ],
)
def test_what_cannot_be_written_is_told(workspace, tmp_path, name, form, to, told):
    (tmp_path / "taken").write_text("a file where a folder would be")
    with pytest.raises(WorkbenchError, match=re.escape(told)):
        write_report(workspace, name, form, tmp_path / to)


def test_the_command_writes_it_and_says_where(workspace, tmp_path):
    words = ["report", "e", "--to", str(tmp_path / "e.html"), "--json", "--workspace", str(workspace.root)]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"evaluation": "e", "format": "html", "files": [str(tmp_path / "e.html")]}
    assert (tmp_path / "e.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    wrong = CliRunner().invoke(cli.app, ["report", "e", "--format", "pdf", "--workspace", str(workspace.root)])
    assert wrong.exit_code == 1 and "no form of a report" in wrong.stderr
