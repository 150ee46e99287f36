"""Bringing: paste, files without a table, media inside a table, directions; adding; exporting. In a real browser."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
import pytest

from tests import media_makers
from tests.conftest import png_bytes, wav_bytes
from tests.ui.conftest import App, axe, open_tab
from workbench import jobs
from workbench.collection.reading import preview_source
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError
from workbench.ui.brought import FILES, Brought
from workbench.ui.data import DataTab
from workbench.ui.mapper_views import Chosen, mapper
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.workspace import Workspace

PASTED = "\n".join(f"question {row}\tanswer number {row}" for row in range(12))
TEA = Path(__file__).parents[1] / "collection" / "files" / "tea.pdf"


def way(page: Any, label: str) -> None:
    page.locator("#data-way label").filter(has_text=label).click()


def bring(app: App, page: Any, *files: Path) -> None:
    """Open the Data tab and upload; the mapper is there afterwards."""
    open_tab(page, app, "data", part="bring")
    page.set_input_files("#data-upload input[type=file]", list(files))
    page.wait_for_selector("#map-import")


def test_rows_are_pasted_and_imported_and_more_rows_join_and_leave_again(module_app: App, page: Any) -> None:
    open_tab(page, module_app, "data", part="bring")
    way(page, "Paste rows")
    page.click("#data-paste-look")
    page.wait_for_selector(".notice.bad")
    assert "Nothing was pasted yet" in page.inner_text(".notice.bad")
    page.fill("#data-paste textarea", PASTED)
    page.click("#data-paste-look")
    page.wait_for_selector("#map-import")
    assert (page.input_value("#map-query"), page.input_value("#map-document")) == ("query", "document")
    assert axe(page) == []
    page.fill("#map-name", "notes")
    page.click("#map-import")
    page.wait_for_selector("#part-more")
    assert "12 queries, 12 documents, 12 pairs" in page.inner_text("#tab-data .heading")
    page.click("#part-more")
    page.click("#more-add")
    page.wait_for_selector("#tab-data h1:has-text('Add to notes')")
    way(page, "Paste rows")
    assert page.input_value("#data-paste textarea") == ""
    page.fill("#data-paste textarea", "question 0 | answer number 0\na new question | a new answer")
    page.click("#data-paste-look")
    page.wait_for_selector("#map-import:has-text('Add to notes')")
    page.click("#map-import")
    page.wait_for_selector("#more-undo")
    assert "Added 1" in page.inner_text("#more-history")
    page.wait_for_selector("#tab-data .heading:has-text('13 queries')")
    page.click("#more-undo")
    page.wait_for_selector("#tab-data .heading:has-text('12 queries')")
    assert len(open_collection(module_app.workspace, "notes").queries) == 12
    assert page.browsing.errors == []


def test_an_export_is_written_and_fetched_by_an_address_that_only_this_page_can_make(
    module_app: App, page: Any
) -> None:
    open_tab(page, module_app, "data", collection="notes", part="more")
    page.click("#more-export-csv")
    page.wait_for_selector("#more-exports .files a")
    address = module_app.url.rstrip("/") + page.get_attribute("#more-exports .files a", "href")
    with urllib.request.urlopen(address) as answer:
        assert answer.read()[:2] == b"PK"
        assert "notes-csv.zip" in answer.headers["content-disposition"]
    for forged in (address[:-1], address.replace("notes-csv.zip", "..%2fworkspace.json")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(forged)
        assert refused.value.code == 403


def test_a_direction_that_looks_turned_round_is_told_and_one_click_rights_it(
    module_app: App, page: Any, tmp_path: Path
) -> None:
    passage = " ".join(["some", "longer", "passage"] * 20)
    rows = [{"title": f"title {row}", "passage": f"{passage} {row}"} for row in range(10)]
    pd.DataFrame(rows).to_csv(tmp_path / "turned.csv", index=False)
    bring(module_app, page, tmp_path / "turned.csv")
    assert page.locator(".mapper .notice.warn").count() == 0
    page.click("#map-turn")
    page.wait_for_selector(".mapper .notice.warn")
    assert "turned round" in page.inner_text(".mapper .notice.warn")
    page.click("#map-turn")
    page.wait_for_selector(".mapper .notice.warn", state="detached")
    # A column chosen for both sides leaves the other to what was here before.
    page.select_option("#map-query", "passage")
    page.wait_for_function("document.querySelector('#map-document').value === 'title'")


def test_files_without_a_table_become_documents_to_be_labelled(module_app: App, page: Any, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(png_bytes((200, 30, 30), (48, 32)))
    (tmp_path / "clip.mp4").write_bytes(media_makers.video())
    bring(module_app, page, TEA, tmp_path / "red.png", tmp_path / "clip.mp4")
    assert "1 PDF (3 pages)" in page.inner_text(".mapper")
    assert page.locator(".mapper .item img, .mapper .item video").count() >= 3
    page.select_option("#map-page_dpi", "100")
    page.select_option("#map-segment_seconds", "10")
    page.fill("#map-name", "pages")
    page.click("#map-import")
    page.wait_for_selector("#data-collection .item")
    assert "5 documents, without queries yet" in page.inner_text("#tab-data .heading")
    assert open_collection(module_app.workspace, "pages").card.counts["documents"] == 5
    page.click("#data-collection [data-act=part]")
    page.wait_for_selector("#part-review[aria-current]")
    assert "part=review" in page.url
    page.reload()
    page.wait_for_selector("#part-review[aria-current]")
    assert page.browsing.errors == []


def test_media_inside_a_table_are_shown_and_played_before_the_import(
    module_app: App, new_page: Any, tmp_path: Path
) -> None:
    page = new_page(width=390, height=844)
    rows = [
        {
            "caption": f"clip {row}",
            "clip": {"bytes": media_makers.video((row * 40, 200)), "path": None},
            "tone": {"bytes": wav_bytes(200.0 + 50 * row), "path": None},
        }
        for row in range(6)
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "clips.parquet")
    bring(module_app, page, tmp_path / "clips.parquet")
    assert page.locator(".mapper td video").count() == 5
    assert page.locator(".mapper td audio").count() == 5
    assert len(set(page.eval_on_selector_all(".mapper td video", "(all) => all.map((one) => one.src)"))) == 5
    page.locator(".mapper td .sound .play").first.click()
    page.wait_for_selector(".mapper td .play[aria-pressed=true]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_several_columns_can_make_one_item_and_all_negatives_are_kept(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"question": ["a b", "c d"], "answer": ["A", "C"], "negative_0": ["x", "y"], "negative_1": ["z", "w"]}
    )
    table.to_csv(tmp_path / "pairs.csv", index=False)
    preview = preview_source(tmp_path / "pairs.csv")
    chosen = Chosen.proposed(preview, "pairs")
    assert chosen.roles(preview)["negative"] == ["negative_0", "negative_1"]
    assert "negative_0 … negative_1 (2 columns)" in mapper(preview, chosen)
    turned = chosen.turned()
    assert (turned.query, turned.document, turned.negative) == ("answer", "question", "")


def test_files_brought_together_lie_beside_each_other_once(workspace: Workspace, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.csv").write_text(f"query,document\n{folder},x\n")
    brought = Brought("upload", tuple(str(tmp_path / folder / "same.csv") for folder in ("a", "b")))
    path = brought.path(workspace)
    assert path == brought.path(workspace)
    assert sorted(file.relative_to(path).as_posix() for file in path.rglob("*.csv")) == ["2/same.csv", "same.csv"]
    assert path.name == FILES
    with pytest.raises(WorkbenchError):
        Brought("paste", text="only one part").path(workspace)
    assert [one.name for one in path.parent.parent.iterdir() if not one.name.startswith(".")] == [path.parent.name]


def test_of_a_data_set_of_the_hub_no_more_is_fetched_than_was_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("query,document\na,b\nc,d\n")
    preview = preview_source(tmp_path / "pairs.csv")
    chosen = Chosen.proposed(preview, "pairs")
    brought = Brought("hub", repo="maria/birds", config="small")
    assert 'name="rows"' in mapper(preview, chosen, from_hub=True)
    assert 'name="rows"' not in mapper(preview, chosen)
    hub = {"repo": "maria/birds", "config": "small", "split": "", "rows": 10_000}
    assert brought.source(workspace, chosen.most_rows()) == {"hub": hub}
    assert Chosen(rows="anything").most_rows() == 0


def test_a_standard_set_is_brought_by_its_name_and_only_by_the_pages_owner(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, str, dict[str, Any]]] = []
    monkeypatch.setattr(jobs, "start", lambda workspace, *given: started.append(given))
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("data") as opened:
            tab = DataTab(page, opened)
    with pytest.raises(WorkbenchError, match="This page is open to others"):
        tab.bring_task(Place(), "NanoArguAnaRetrieval", "", "")
    page.may_run_code = True
    with pytest.raises(WorkbenchError, match="cannot be the name of a task"):
        tab.bring_task(Place(), "../../etc", "", "")
    assert started == []
    changed = tab.bring_task(Place(), " NanoArguAnaRetrieval ", "", " test ")
    ((work, name, spec),) = started
    assert (work, name) == ("import", "import-nanoarguanaretrieval")
    assert spec["mteb"] == {"task": "NanoArguAnaRetrieval", "subset": "", "split": "test"}
    assert changed[page.place].collection == spec["name"] == "nanoarguanaretrieval" and changed[tab.bring.task] == ""
