"""The checkpoints of a run on disk: which are whole, which to go on from, which to keep, and how one is thrown away.

checkpoints/checkpoint-STEP/complete    written last and removed first: a folder without it is half of one
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from workbench.workspace import read_json

COMPLETE = "complete"
STATE_FILE = "trainer_state.json"
FOLDER, GONE = "checkpoints", "checkpoints.gone"
KEPT = 2


def step_of(checkpoint: Path | None) -> int:
    """The optimizer steps that were done when it was written; 0 for none."""
    return int(checkpoint.name.rsplit("-", 1)[1]) if checkpoint else 0


def last_checkpoint(folder: Path) -> Path | None:
    """The latest whole checkpoint; half-written ones, left by a kill or a full disk, are removed."""
    found = []
    for path in folder.glob("checkpoint-*"):
        if (path / COMPLETE).exists():
            found.append(path)
        else:
            shutil.rmtree(path)
    return max(found, key=step_of, default=None)


def best_checkpoint(latest: Path) -> Path:
    """The best checkpoint as `latest` knows it; `latest` itself where it names none, or one that is gone."""
    best = (read_json(latest / STATE_FILE) or {}).get("best_model_checkpoint")
    found = latest.parent / Path(best).name if best else latest
    return found if found.is_dir() else latest


def mark_complete(checkpoint: Path, best: str | None) -> None:
    """Let a checkpoint count, now that everything of it is on disk, and only then throw away older ones.

    The newest and the best stay, and where these are one, the one before. best: the path of the best one so far.
    """
    (checkpoint / COMPLETE).touch()
    others = sorted(checkpoint.parent.glob("checkpoint-*"), key=step_of)
    kept = {checkpoint.name, Path(best).name if best else checkpoint.name}
    spare = [path for path in others if path.name not in kept]
    for path in spare[: max(0, len(others) - max(KEPT, len(kept)))]:
        throw_away(path)


def throw_away(checkpoint: Path) -> None:
    """Remove a checkpoint so that a kill in the middle leaves one that does not count."""
    (checkpoint / COMPLETE).unlink(missing_ok=True)
    shutil.rmtree(checkpoint)


def throw_all_away(run: Path) -> None:
    """Remove the checkpoints of a run that has its model, also those that a kill in the middle of this has left."""
    if (run / FOLDER).is_dir():
        shutil.rmtree(run / GONE, ignore_errors=True)
        os.replace(run / FOLDER, run / GONE)
    shutil.rmtree(run / GONE, ignore_errors=True)


def write_state(checkpoint: Path, state: Any) -> None:
    """Put the trainer's state into a checkpoint in place of the one it has, whole or not at all."""
    temporary = checkpoint / f".{STATE_FILE}"
    state.save_to_json(str(temporary))
    os.replace(temporary, checkpoint / STATE_FILE)
