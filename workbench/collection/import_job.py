"""The work of an import job: whatever is brought, into a new collection or one that is there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.collection.adding import add_to_collection, added_before
from workbench.collection.demo import SCENES, make_demo
from workbench.collection.hub import HubSet, open_dataset
from workbench.collection.importing import import_collection, import_documents
from workbench.collection.options import ImportOptions
from workbench.collection.source import Opened
from workbench.collection.standard_sets import StandardSet, open_task
from workbench.collection.store import Collection
from workbench.collection.summary import import_summary
from workbench.job_folder import JobFolder
from workbench.workspace import Workspace


def run_import(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of an import job. Its spec: name, source (a path), roles, seed; documents if wanted, and the
    fields of `ImportOptions`: page_dpi, segment_seconds, own_split.

    In the place of source `hub`: {"repo", "config", "split", "rows"}, a data set on the Hub; see `hub.HubSet`. Or
    `mteb`: {"task", "subset", "split"}, a retrieval task; see `standard_sets.StandardSet`.
    `documents` true means `import_documents`; `add` true adds to the collection that is there; `demo` true draws the
    built-in demo, of `scenes` scenes. An import that was stopped or killed starts from the first row again, since
    nothing of it was kept; one that was complete already returns its result.
    """
    spec, mark = job.spec, f"{job.name}@{job.job['created']}"
    path = workspace.collection(spec["name"])
    if (path / "card.json").exists():
        card = Collection(path).card
        if card.source.get("job") == mark:
            return import_summary(card)
        if spec.get("add") and (result := added_before(card, mark)):
            return result
    if spec.get("demo"):
        return make_demo(workspace, spec["name"], int(spec.get("scenes") or SCENES), progress=job.progress)
    options = asdict(ImportOptions.of(spec))
    source = _source(spec)
    if spec.get("add"):
        return add_to_collection(
            workspace,
            spec["name"],
            source,
            spec.get("roles"),
            documents=bool(spec.get("documents")),
            progress=job.progress,
            job=mark,
            **options,
        )
    if spec.get("documents"):
        return import_documents(
            workspace, spec["name"], Path(spec["source"]), progress=job.progress, job=mark, **options
        )
    return import_collection(
        workspace,
        spec["name"],
        source,
        spec.get("roles"),
        seed=int(spec.get("seed") or 0),
        progress=job.progress,
        job=mark,
        **options,
    )


def _source(spec: dict[str, Any]) -> Path | Opened:
    if spec.get("mteb"):
        return open_task(StandardSet.of_spec(spec["mteb"]))
    return open_dataset(HubSet.of_spec(spec["hub"])) if spec.get("hub") else Path(spec["source"])
