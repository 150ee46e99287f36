"""A dry run measures the pairs that the run will hold at once, where the run may not choose fewer by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.errors import WorkbenchError
from workbench.training import dry_run
from workbench.training.dry_run import DryRun
from workbench.training.spec import train_spec
from workbench.workspace import Workspace, read_json, write_json

TAUGHT = {"objective": "margin", "teacher_model": "starter"}


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A device that holds the pairs of its one number at once; afterwards it also says what steps were taken with."""
    holds = [10_000]
    monkeypatch.setattr(
        DryRun, "_fits", lambda self, _, size: self.told["points"].append([size, size]) or size <= holds[0]
    )
    monkeypatch.setattr(dry_run, "largest_that_fits", lambda points, budget, at_most: min(at_most, holds[0]))
    monkeypatch.setattr(DryRun, "_steps", lambda self, _, size, score: holds.append(size) or (0.1, {}))
    return holds


def measured(workspace: Workspace, folder: Path, **overrides: Any) -> dict[str, Any]:
    spec = train_spec(workspace, collection="demo", model="starter", overrides=overrides)
    write_json(folder / "ask.json", {"workspace": str(workspace.root), "spec": spec})
    DryRun(folder).measure()
    return dict(read_json(folder / "told.json") or {})


@pytest.mark.parametrize(
    ("overrides", "size"),
    [({"batch_size": 48, **TAUGHT}, 48), ({"batch_size": 48, "mini_batch_size": 6}, 6), ({"batch_size": 48}, 48)],
)
def test_the_size_that_was_asked_for_is_the_one_that_is_measured(
    demo_workspace: Workspace, device: list[int], tmp_path: Path, overrides: dict[str, Any], size: int
) -> None:
    assert measured(demo_workspace, tmp_path, **overrides)["mini_batch_size"] == size
    assert device[1:] == [size]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"batch_size": 48, **TAUGHT}, "A batch of 48 does not fit.*whole batch at once. A batch of 4 does."),
        ({"batch_size": 48, "mini_batch_size": 6}, "A mini-batch of 6 does not fit.* One of 4 does."),
    ],
)
def test_a_size_that_does_not_fit_is_told_with_one_that_does(
    demo_workspace: Workspace, device: list[int], tmp_path: Path, overrides: dict[str, Any], words: str
) -> None:
    device[0] = 4
    with pytest.raises(WorkbenchError, match=words):
        measured(demo_workspace, tmp_path, **overrides)


def test_where_the_run_may_choose_the_largest_that_fits_is_measured(
    demo_workspace: Workspace, device: list[int], tmp_path: Path
) -> None:
    device[0] = 4
    assert measured(demo_workspace, tmp_path, batch_size=48)["mini_batch_size"] == 4
