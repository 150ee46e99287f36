"""The checkpoints of a run on disk: which are whole, which to go on from, which to keep, and how one is thrown away.

checkpoints/checkpoint-STEP/complete    written last and removed first: a folder without it is half of one
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from workbench.models.checkpoint import COMPLETE, FOLDER, steps_kept
from workbench.workspace import read_json

STATE_FILE = "trainer_state.json"
GONE = "checkpoints.gone"
KEPT = 2
ONLY_TO_GO_ON = ("optimizer.*", "scheduler.*", "scaler.*", "rng_state*", "training_args.bin")


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


def mark_complete(checkpoint: Path, best: str | None, keep: int = 0) -> None:
    """Let a checkpoint count, now that everything of it is on disk, and only then throw away older ones.

    The newest and the best stay, and where these are one, the one before. best: the path of the best one so far.
    keep: that so many stay, if it is more.
    """
    (checkpoint / COMPLETE).touch()
    others = sorted(checkpoint.parent.glob("checkpoint-*"), key=step_of)
    kept = {checkpoint.name, Path(best).name if best else checkpoint.name}
    spare = [path for path in others if path.name not in kept]
    for path in spare[: max(0, len(others) - max(KEPT, keep, len(kept)))]:
        throw_away(path)


def throw_away(checkpoint: Path) -> None:
    """Remove a checkpoint so that a kill in the middle leaves one that does not count."""
    (checkpoint / COMPLETE).unlink(missing_ok=True)
    shutil.rmtree(checkpoint)


def throw_away_all_but(run: Path, keep: int) -> None:
    """Remove the checkpoints of a run that has its model, also those that a kill in the middle of this has left.

    keep: so many of the newest stay, as models to be compared, without what it takes to go on from them.
    """
    for step in (steps := steps_kept(run)[-keep:] if keep else []):
        for pattern in ONLY_TO_GO_ON:
            for path in (run / FOLDER / f"checkpoint-{step}").glob(pattern):
                path.unlink()
    for path in (run / FOLDER).glob("checkpoint-*") if steps else []:
        if step_of(path) not in steps:
            throw_away(path)
    if (run / FOLDER).is_dir() and not steps:
        shutil.rmtree(run / GONE, ignore_errors=True)
        os.replace(run / FOLDER, run / GONE)
    shutil.rmtree(run / GONE, ignore_errors=True)


def write_state(checkpoint: Path, state: Any) -> None:
    """Put the trainer's state into a checkpoint in place of the one it has, whole or not at all."""
    temporary = checkpoint / f".{STATE_FILE}"
    state.save_to_json(str(temporary))
    os.replace(temporary, checkpoint / STATE_FILE)
