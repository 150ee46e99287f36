"""Mining hard negatives as a job: wrong documents that an embedder ranks high become judgements with score 0."""

from __future__ import annotations

from typing import Any

from workbench.collection.store import open_collection, replace_judgements
from workbench.job_folder import JobFolder
from workbench.models import load_embedder
from workbench.training.lessons import mined_negatives
from workbench.workspace import Workspace

PER_QUERY = 4


def run_mining(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of a mining job; spec: collection, model, per_query. Earlier mined judgements are replaced.

    Returns {"collection", "model", "mined"}. Raises WorkbenchError if the model cannot read the collection.
    """
    spec = job.spec
    collection = open_collection(workspace, spec["collection"])
    job.progress(0, 2, "Reading the collection with the model")
    embedder = load_embedder(workspace, spec["model"])
    embedder.check_supports([*collection.card.modalities["query"], *collection.card.modalities["document"]])
    found = mined_negatives(collection, embedder, count=int(spec.get("per_query") or PER_QUERY))
    job.progress(1, 2, "Writing the judgements")
    table = collection.judgements.to_dict()
    keep = [number for number, source in enumerate(table["source"]) if source != "mined"]
    rows: dict[str, list[Any]] = {key: [values[number] for number in keep] for key, values in table.items()}
    query_ids, document_ids = collection.queries["id"], collection.corpus["id"]
    known = set(zip(rows["query"], rows["document"], strict=True))
    mined = 0
    for query, documents in found.items():
        for document in documents.tolist():
            pair = (query_ids[query], document_ids[document])
            if pair not in known:
                for key, value in zip(rows, (*pair, 0.0, "train", "mined"), strict=True):
                    rows[key].append(value)
                mined += 1
    replace_judgements(collection, rows)
    job.progress(2, 2, "Done")
    return {"collection": collection.name, "model": spec["model"], "mined": mined}
