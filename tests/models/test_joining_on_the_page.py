"""The fold of the Train tab that joins models: what it offers and refuses, what it starts, what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.models import hub_layouts as hub
from tests.models.test_adding_on_the_page import handlers
from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.models.examine import add
from workbench.models.join import join_models, run_join
from workbench.ui.choices import base_choices, encoder_choices
from workbench.ui.place import Place
from workbench.ui.train_views import lesson_words
from workbench.workspace import Workspace, write_json


def shown(changed: dict[Any, Any]) -> str:
    return next(value for widget, value in changed.items() if getattr(widget, "elem_id", "") == "join-found")


def test_what_is_missing_or_a_folder_is_refused(workspace: Workspace) -> None:
    join = handlers(workspace)["join_models"]
    for given, words in (
        (("starter", None, None, "mine"), "an encoder of pictures, of sound"),
        ((None, "facebook/dinov2-base", None, "mine"), "Choose a text embedder"),
        (("starter", "facebook/dinov2-base", None, "My Model"), "cannot be the name of a model"),
        (("/etc", "facebook/dinov2-base", None, "mine"), "cannot be used on the page"),
        (("starter", "/etc", None, "mine"), "cannot be used on the page"),
    ):
        with pytest.raises(WorkbenchError, match=words):
            join(Place(), *given)


def test_joining_is_done_in_the_background_and_the_model_is_offered(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, dict[str, Any]]] = []

    def start(_: Workspace, work: str, name: str, spec: dict[str, Any]) -> JobFolder:
        asked.append((work, name, spec))
        return create_job_folder(workspace.jobs / name, work, spec, {})

    monkeypatch.setattr(jobs, "start", start)
    page = handlers(workspace)
    parts = (add(workspace, str(hub.text_embedder(tmp_path / "words", "Bert", pooling="mean")))["reference"],
             add(workspace, str(hub.clip(tmp_path / "seeing")))["reference"])  # fmt: skip
    assert "Joining mine" in shown(page["join_models"](Place(), *parts, None, " mine "))
    spec = {"text": "added:words", "image": "added:seeing", "audio": "", "name": "mine"}
    assert asked == [("join-models", "join-mine", spec)]
    job = JobFolder(workspace.jobs / "join-mine")
    write_json(job.path / "result.json", run_join(workspace, job))
    job.write_status(state="finished")
    words = shown(page["look_at_joined"](Place(), "embedder", ""))
    assert "added:mine was joined. It reads texts, pictures and videos." in words and "Train it next" in words
    assert ("mine (added by you)", "added:mine") in base_choices(workspace, "embedder")


def test_encoders_are_proposed_with_the_models_of_the_user_first(workspace: Workspace, tmp_path: Path) -> None:
    text, clip = str(hub.text_embedder(tmp_path / "words", "Bert", pooling="mean")), str(hub.clip(tmp_path / "seeing"))
    add(workspace, clip)
    join_models(workspace, text=text, image=clip, name="mine")
    choices = [reference for _, reference in encoder_choices(workspace, "image")]
    assert choices[0] == "added:seeing" and "facebook/dinov2-base" in choices and "added:mine" not in choices
    assert "added:seeing" not in [reference for _, reference in encoder_choices(workspace, "audio")]


@pytest.mark.parametrize(
    ("share", "words"), [(0.3, "For the first 30% of the steps only"), (1.0, "projections learn.")]
)
def test_the_lesson_says_what_learns_first(share: float, words: str) -> None:
    settings = {"matryoshka": False, "thaw_after": share}
    spec = {"kind": "embedder", "objective_words": "So it learns.", "settings": settings}
    told = lesson_words(None, spec, {})  # type: ignore[arg-type]
    assert words in told and ("then everything" in told) == (share < 1)
    settings["thaw_after"] = 0
    assert "projections" not in lesson_words(None, spec, {})  # type: ignore[arg-type]
