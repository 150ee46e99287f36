"""Build an index: embed a corpus chunk by chunk into a new table, then publish it.

Each chunk is one commit, so a kill at any moment loses at most the chunks under way; the next build of the same index
from the same collection and model continues with the documents that are not there yet. Memory holds a few chunks,
however large the corpus.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.index import recall, table
from workbench.index.filling import Progress, compare, fill
from workbench.index.finishing import count_modalities, full_disk_in_words, measure, publish_table, tidy
from workbench.index.location import check_place
from workbench.index.registry import building
from workbench.index.sweeping import begin_or_continue, sweep
from workbench.index.table import Origin
from workbench.job_folder import JobFolder
from workbench.models import Embedder, load_embedder
from workbench.models.source import STARTERS
from workbench.workspace import Workspace, check_name, disk_full_in_words


def build_index(
    workspace: Workspace,
    name: str,
    collection: str,
    model: str,
    *,
    dimension: int | None = None,
    precision: str = "float32",
    wished_recall: float = recall.WISHED_RECALL,
    progress: Progress | None = None,
    trust_remote_code: bool = False,
    embedder: Embedder | None = None,
) -> dict[str, Any]:
    """Embed the documents of a collection and publish them as an index; the object that the command `index` prints.

    An index of this name stays searchable until the new one takes its place, and is kept to roll back to. `dimension`:
    a Matryoshka dimension to cut the vectors to, else the model's own. `precision`: float32, float16 in half the space,
    or rescored, which compares signs in memory first (see `codes`). `wished_recall`: the share of the true first ten
    that an approximate search shall find, 0.95 or 0.99. `progress` gets rows done, rows in all, and what is being done;
    what it raises (Stopped) ends the build, and the chunks written so far stay for the next one to continue.
    Raises WorkbenchError in words: no such collection or model, an empty corpus, a modality that the model cannot
    read, vectors that are not numbers, a full disk, or another build of the same index under way.
    """
    started = time.perf_counter()
    check_name(name, "index")
    if precision not in table.PRECISIONS:
        raise WorkbenchError(
            f"An index keeps its vectors as {' or '.join(table.PRECISIONS)}, not “{precision[:20]}”. Choose one."
        )
    recall.check_wish(wished_recall)
    opened = with_documents(workspace, collection)
    report = progress or (lambda done, total, note: None)
    with building(workspace, name):
        check_place(workspace)
        sweep(workspace, name)
        report(0, len(opened.corpus), "Loading the model")
        model = _lasting(model)
        if embedder is None:
            embedder = load_embedder(workspace, model, trust_remote_code=trust_remote_code)
        embedder.check_supports(dict.fromkeys(opened.document_modalities.tolist()))
        origin = Origin(
            collection=collection,
            collection_fingerprint=opened.fingerprint,
            model=model,
            fingerprint=embedder.fingerprint,
            dimension=_size(embedder, dimension),
            precision=precision,
        )
        with disk_full_in_words(workspace.index):
            part_name, part = begin_or_continue(workspace, name, origin)
        total = len(opened.corpus)
        with full_disk_in_words(workspace, name, part, total):
            fill(part, opened, compare(part, opened), embedder, origin.dimension, report)
            report(total, total, "Finishing")
            table.check_rows(part, total)
            tidied = tidy(part, total, origin.dimension)
            report(total, total, "Finishing")
            measured = measure(part, tidied["kind"], origin.dimension, (opened, embedder), wished_recall)
            card = publish_table(
                workspace,
                part_name,
                started,
                name=name,
                rows=total,
                model_dimension=embedder.dimension,
                trust_remote_code=trust_remote_code,
                modalities=count_modalities(opened),
                **vars(origin),
                **tidied,
                **measured,
            )
    return card.as_json()


def run_index(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of an index job. Its spec: name, collection, model, perhaps dimension, precision, trust_remote_code and
    `recall`, which is 0.95 or 0.99.

    With `action` in it, what `life` does of that name.
    """
    spec = job.spec
    if spec.get("action", "build") != "build":
        from workbench.index.life import run_action

        return run_action(workspace, job)
    return build_index(
        workspace,
        spec["name"],
        spec["collection"],
        spec["model"],
        dimension=spec.get("dimension"),
        precision=spec.get("precision") or "float32",
        wished_recall=float(spec.get("recall") or recall.WISHED_RECALL),
        progress=job.progress,
        trust_remote_code=bool(spec.get("trust_remote_code", False)),
    )


def with_documents(workspace: Workspace, name: str) -> Collection:
    """A collection that has documents. Raises WorkbenchError otherwise."""
    opened = open_collection(workspace, name)
    if not len(opened.corpus):
        raise WorkbenchError(f"The collection “{name}” has no documents, so there is nothing to index.")
    return opened


def _lasting(model: str) -> str:
    """The reference to write down: a folder by its absolute path, since a search may start from another folder."""
    path = Path(model).expanduser()
    named = model in STARTERS or model.startswith(("run:", "remote:"))
    return str(path.absolute()) if not named and path.is_dir() else model


def _size(embedder: Embedder, dimension: int | None) -> int:
    if dimension is None:
        return embedder.dimension
    if not 2 <= dimension <= embedder.dimension:
        raise WorkbenchError(
            f"“{embedder.reference}” gives vectors of {embedder.dimension} numbers, so an index of {dimension} cannot "
            f"be made. Choose one of {', '.join(map(str, embedder.dimensions))}."
        )
    return dimension
