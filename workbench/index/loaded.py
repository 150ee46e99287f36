"""The models that queries have used last, each with a lock, loaded again when they have changed on disk."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from workbench.index.recent import Recent
from workbench.models.added import PREFIX as ADDED
from workbench.models.added import added_folder, added_model
from workbench.models.checkpoint import FOLDER, RUN, run_name, step_named
from workbench.models.source import REMOTE
from workbench.workspace import Workspace

KEPT_EMBEDDERS = 3
KEPT_RERANKERS = 2


class Loader(Protocol):
    """Loads a model by its reference, as `models.load_embedder` does."""

    def __call__(self, workspace: Workspace, reference: str, *, trust_remote_code: bool = False) -> Any: ...


@dataclass(frozen=True)
class Loaded:
    """A model with a lock: tokenizers and caches inside models are not made for two threads at once."""

    model: Any
    lock: threading.Lock = field(default_factory=threading.Lock)


class LoadedModels:
    """A few embedders and rerankers, kept for the next query."""

    def __init__(self, workspace: Workspace, load_embedder: Loader, load_reranker: Loader) -> None:
        self._workspace = workspace
        self._load = {"embedder": load_embedder, "reranker": load_reranker}
        self._kept = {"embedder": Recent[Loaded](KEPT_EMBEDDERS), "reranker": Recent[Loaded](KEPT_RERANKERS)}

    def embedder(self, reference: str, *, trust_remote_code: bool = False) -> Loaded:
        """The embedder behind a reference. Raises WorkbenchError as `models.load_embedder` does."""
        return self._get("embedder", reference, trust_remote_code)

    def reranker(self, reference: str) -> Loaded:
        """The reranker behind a reference. Raises WorkbenchError as `models.load_reranker` does."""
        return self._get("reranker", reference, False)

    def _get(self, kind: str, reference: str, trusted: bool) -> Loaded:
        def make() -> Loaded:
            return Loaded(self._load[kind](self._workspace, reference, trust_remote_code=trusted))

        version = version_on_disk(self._workspace, reference), told(self._workspace, reference)
        return self._kept[kind].get((reference, trusted, *version), make)


def told(workspace: Workspace, reference: str) -> str:
    """The prompts that the user gave a model when it was added, and the leave to run its own code."""
    added = added_model(workspace, reference)
    return f"{sorted(added.prompts.items())} {added.trusted}" if added else ""


def version_on_disk(workspace: Workspace, reference: str) -> int:
    """Changes when a model on this disk is replaced: the newest time in its folder; 0 for one from elsewhere.

    A fingerprint would say the same, but reads every weight: too slow to ask before each query.
    """
    if reference.startswith(RUN):
        run, step = workspace.run(run_name(reference)), step_named(reference)
        folder = run / "model" if step is None else run / FOLDER / f"checkpoint-{step}"
    elif reference.startswith(ADDED):
        folder = added_folder(workspace, reference)
    elif reference.startswith(REMOTE):
        folder = workspace.root / "remotes.json"
    else:
        folder = Path(reference).expanduser()
    try:
        # Two levels deep, as a model is; a reference may also be a folder that is no model and holds a whole disk.
        return max(path.lstat().st_mtime_ns for path in (folder, *folder.glob("*"), *folder.glob("*/*")))
    except (OSError, ValueError):
        return 0
