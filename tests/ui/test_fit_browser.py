"""“Will it fit?” in a real browser: an estimate that follows the form, a measurement that can be stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import App, open_tab
from tests.ui.small import write_zip
from workbench.collection.importing import import_collection

pytestmark = pytest.mark.slow


@pytest.fixture
def on_train(module_app: App, page: Any, tmp_path: Path) -> Any:
    source = write_zip(tmp_path / "photos.zip", missing=2)
    import_collection(module_app.workspace, "photos", source, {"query": "caption", "document": "photo"})
    open_tab(page, module_app, "train", collection="photos")
    page.wait_for_selector("#train-fit #fit-measure")
    return page


def test_the_estimate_follows_the_form_and_a_measurement_can_be_stopped(on_train: Any) -> None:
    page = on_train
    before = page.inner_text("#train-fit p")
    assert "estimated" in before
    page.click("#train-advanced button.label-wrap")
    page.click("#settings-batches button.label-wrap")
    page.fill("#setting-mini_batch_size input", "1")
    page.wait_for_function("document.querySelector('#train-fit p').innerText.includes('a mini-batch of 1,')")
    page.click("#fit-measure")
    page.wait_for_selector("#train-fit .progress")
    page.click("#train-fit button:has-text('Stop')")
    page.wait_for_selector("#train-fit button:has-text('Measure again')", timeout=60_000)
    assert page.browsing.errors == []
