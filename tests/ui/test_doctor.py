"""The doctor's panel: a messy table is checked and mended, and the mending taken back; what Train says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.doctor.making import make
from tests.ui.conftest import App, axe, open_tab
from workbench.collection.editing import changes, edit_collection, undo
from workbench.collection.store import open_collection
from workbench.doctor.check import check_collection
from workbench.doctor.findings import Finding
from workbench.doctor.fixes import fix
from workbench.doctor.mended import Standing, read_standing
from workbench.ui import part_check, part_check_views, train_views
from workbench.ui.media_route import MediaRoute
from workbench.workspace import Workspace

NASTY = "<img src=x onerror=alert(1)>"


def messy(path: Path) -> Path:
    """Pairs with the same query twice, and an e-mail address."""
    rows = [(f"a question about thing {row}", f"the answer says that thing {row} is number {row}") for row in range(30)]
    rows.append(("A question about  THING 3", "something else entirely, though it is right as well"))
    rows.append((f"write to jane.doe@clinic.org {NASTY}", "she knows where the scan is"))
    pd.DataFrame(rows, columns=["query", "document"]).to_csv(path, index=False)
    return path


def test_a_messy_upload_is_checked_mended_and_the_mending_taken_back(
    module_app: App, page: Any, tmp_path: Path
) -> None:
    open_tab(page, module_app, "data", part="bring")
    page.set_input_files("#data-upload input[type=file]", messy(tmp_path / "messy.csv"))
    page.click("#map-import")
    page.click("#part-check")
    page.wait_for_selector("#check-start:has-text('Check this collection')")
    page.click("#check-start")
    page.wait_for_selector(".finding")
    assert "part=check" in page.url
    twice = page.locator(".finding[data-kind=exact-duplicate]")
    assert "Likely to hurt" in twice.inner_text()
    assert twice.locator(".group").first.locator(".item").count() == 2
    assert "jane.doe@clinic.org" in page.inner_text(".finding[data-kind=personal-data]")
    before = int(page.inner_text("#part-check .badge"))
    assert axe(page) == []

    twice.locator("[data-act=fix]").click()
    page.wait_for_selector("#check-undo")
    assert "Merged 1 duplicate query" in page.inner_text(".mended")
    assert page.locator(".finding[data-kind=exact-duplicate]").count() == 0
    page.wait_for_selector("#tab-data .heading:has-text('31 queries')")
    assert page.locator("#part-check .badge").count() == 0 or int(page.inner_text("#part-check .badge")) < before
    assert page.locator("#check-top .notice.warn").count() == 0, "what was mended does not make the check stale"

    page.click("#check-undo")
    page.wait_for_selector(".finding[data-kind=exact-duplicate]")
    page.wait_for_selector("#tab-data .heading:has-text('32 queries')")
    assert len(open_collection(module_app.workspace, "messy").queries) == 32
    assert page.browsing.dialogs == []
    assert page.browsing.errors == []


def test_a_change_makes_the_check_stale_and_a_clean_collection_has_nothing_to_show(module_app: App, page: Any) -> None:
    workspace = module_app.workspace
    with edit_collection(workspace, "messy", "Left one out") as edit:
        edit.drop("queries", [open_collection(workspace, "messy").queries["id"][5]])
    open_tab(page, module_app, "data", collection="messy", part="check")
    page.wait_for_selector("#check-top .notice.warn")
    assert "has changed since" in page.inner_text("#check-top .notice.warn")
    pairs = [(f"q{row}", f"d{row}") for row in range(8)]
    make(
        workspace,
        {f"q{row}": f"who holds the {word} key" for row, word in enumerate(WORDS)},
        {f"d{row}": f"{word} belongs to the keeper of room {row}" for row, word in enumerate(WORDS)},
        pairs,
        name="clean",
    )
    check_collection(workspace, "clean")
    open_tab(page, module_app, "data", collection="clean", part="check")
    page.wait_for_selector("#check-top .chip.good:has-text('Nothing found')")
    assert page.locator("#part-check .badge").count() == 0


WORDS = ("copper", "silver", "walnut", "ivory", "marble", "velvet", "cobalt", "amber")


@pytest.fixture
def twins(workspace: Workspace) -> Workspace:
    """A collection named made, checked: the same query twice."""
    queries = {f"q{row}": f"who holds the {word} key" for row, word in enumerate(WORDS)}
    queries["again"] = "Who holds the COPPER key"
    corpus = {f"d{row}": f"{word} belongs to the keeper of room {row}" for row, word in enumerate(WORDS)}
    pairs = [(f"q{row}", f"d{row}") for row in range(len(WORDS))]
    make(workspace, queries, corpus, [*pairs, ("again", "d1")])
    check_collection(workspace, "made")
    return workspace


def standing_of(workspace: Workspace) -> Standing:
    found = read_standing(workspace, "made")
    assert found is not None
    return found


def number_of(standing: Standing, kind: str) -> int:
    return [finding.kind for finding in standing.check.findings].index(kind)


def test_a_fix_is_remembered_until_it_is_taken_back(twins: Workspace) -> None:
    number = number_of(standing_of(twins), "exact-duplicate")
    fix(twins, "made", number)
    after = standing_of(twins)
    (newest,) = changes(twins, "made")
    assert after.mended == {number: newest}
    assert not after.changed
    assert len(after.left) == len(after.check.findings) - 1
    undo(twins, "made")
    assert standing_of(twins).mended == {}
    assert not standing_of(twins).changed
    fix(twins, "made", number)
    with edit_collection(twins, "made", "Something else") as edit:
        edit.drop("queries", ["q7"])
    assert standing_of(twins).changed
    assert standing_of(twins).mended[number] is not None


def test_a_fix_that_found_nothing_left_is_done_too(twins: Workspace) -> None:
    number = number_of(standing_of(twins), "exact-duplicate")
    with edit_collection(twins, "made", "Left the copy out") as edit:
        edit.drop("queries", ["again"])
    assert fix(twins, "made", number) == "Nothing was left to mend."
    assert standing_of(twins).mended == {number: None}


def test_what_blocks_is_told_before_a_training_and_not_in_its_way(twins: Workspace) -> None:
    finding = Finding("unreadable", "blocks", "3 pictures cannot be read.", side="corpus", fix="Leave them out")
    found = standing_of(twins)
    blocked = Standing(type(found.check)([finding], "", "", 0.0, True), {}, None, False)
    assert "3 pictures cannot be read." in train_views.doubts(blocked)
    assert "start anyhow" in train_views.doubts(blocked)
    assert train_views.doubts(Standing(blocked.check, {}, None, True)) == ""
    assert train_views.doubts(None) == ""
    assert part_check.badge(blocked)[0] == "1"


def test_examples_pass_over_what_has_left_the_collection(twins: Workspace) -> None:
    collection = open_collection(twins, "made")
    examples = part_check_views.Examples(collection, MediaRoute(twins))
    gone = Finding("exact-duplicate", "hurts", "…", side="queries", groups=[["q0", "gone"], ["q1", "again"]])
    drawn = examples.of(gone)
    assert drawn.count('class="group') == 1
    pair = Finding("contradiction", "hurts", "…", side="judgements", groups=[["q0", "d0"], ["q0", "gone"]])
    assert examples.of(pair).count('class="group pair"') == 1
    assert examples.of(Finding("direction", "note", "…")) == ""
