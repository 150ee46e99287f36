"""Three models are evaluated on the demo from the page; the advice is read, a loss opened and sent to review."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import App, open_tab, start_app
from workbench.collection.demo import make_demo
from workbench.collection.review_sent import waiting_pairs
from workbench.collection.store import open_collection
from workbench.evaluation.results import load_evaluation
from workbench.job_folder import create_job_folder
from workbench.models.starter import starter_folder
from workbench.workspace import Workspace, open_workspace

pytestmark = pytest.mark.slow
SECONDS = 300_000


def finished_run(workspace: Workspace, name: str, noise: float) -> None:
    """A run whose model is the starter with noise upon its weights: worse, but not at every query."""
    import torch
    from safetensors.torch import load_file, save_file

    job = create_job_folder(
        workspace.run(name), "train", {"kind": "embedder", "model": "starter", "collection": "demo", "settings": {}}, {}
    )
    shutil.copytree(starter_folder(), job.path / "model")
    generator = torch.Generator().manual_seed(len(name))
    for path in Path(job.path / "model").rglob("*.safetensors"):
        weights = {
            key: value + noise * value.std() * torch.randn(value.shape, generator=generator)
            if value.is_floating_point() and value.dim() > 1
            else value
            for key, value in load_file(path).items()
        }
        save_file(weights, path, metadata={"format": "pt"})
    job.write_status(state="finished", step=1, total=1, updated=time.time())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A page over a small demo with two finished runs."""
    workspace = open_workspace(tmp_path_factory.mktemp("journey") / "workspace")
    make_demo(workspace, "demo", scenes=240)
    finished_run(workspace, "shaken", 0.1)
    finished_run(workspace, "shattered", 0.4)
    app = start_app(workspace)
    yield app
    app.stop()


def test_three_models_are_evaluated_and_a_loss_goes_to_review(demo: App, page: Any) -> None:
    page.set_default_timeout(60_000)
    open_tab(page, demo, "evaluate")
    box = page.locator("#evaluate-models input")
    for model in ("starter", "run:shaken", "run:shattered"):
        name = model.removeprefix("run:")
        if page.locator("#evaluate-models .token").filter(has_text=re.compile(rf"^{name} \(")).count() == 0:
            box.click()
            box.fill(name)
            page.locator("#evaluate-models [role=option]").filter(has_text=re.compile(rf"{name} \(")).first.click()
    page.keyboard.press("Tab")  # puts the list away
    page.get_by_label("binary: a 32nd", exact=True).check()
    page.click("#evaluate-start")
    page.wait_for_selector("#evaluate-use-size", timeout=SECONDS)
    (path,) = demo.workspace.evaluations.glob("*.json")
    evaluation = load_evaluation(demo.workspace, path.stem)
    models = [one["reference"] for one in evaluation["models"]]
    assert sorted(models) == ["run:shaken", "run:shattered", "starter"]

    advice = page.inner_text("#evaluate-advice")
    assert re.search(r"\d+ × (float32|binary)", advice) and "of the best score" in advice
    page.wait_for_function("document.querySelectorAll('#evaluate-plot .scatterlayer .trace').length >= 3")

    page.click("#part-verdicts")
    page.wait_for_selector("#evaluate-told >> text=against")
    page.click("#part-queries")
    line = page.locator("#change-lost-0")
    query = str(line.get_attribute("data-query"))
    line.click()
    page.wait_for_selector(".panel .rankings")
    assert page.locator(".panel .rankings img").count() > 0
    page.click("#panel-send")
    page.wait_for_selector("#panel-review")
    assert {one for one, _ in waiting_pairs(open_collection(demo.workspace, "demo"))} == {query}
    page.click("#panel-review")
    page.wait_for_selector("[data-pair][aria-current]")
    assert page.locator("[data-pair][aria-current]").get_attribute("data-query") == query
    assert page.browsing.errors == [] and page.browsing.dialogs == []
