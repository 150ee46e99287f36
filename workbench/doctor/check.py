"""The data doctor: look a collection over, and keep what was found beside it as check.json.

A check belongs to one version of its collection. When the collection changes the check stays readable, and says that
it is no longer current.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from workbench.collection.store import Collection, open_collection
from workbench.doctor.balance import find_direction, find_imbalance
from workbench.doctor.examined import Examined, Progress
from workbench.doctor.findings import Finding, by_severity
from workbench.doctor.judgements import find_contradictions, find_false_negatives
from workbench.doctor.leaks import find_leaked_documents, find_leaked_queries
from workbench.doctor.pictures import (
    find_blank_pictures,
    find_picture_duplicates,
    find_picture_sizes,
    find_unreadable_pictures,
)
from workbench.doctor.sounds import (
    find_silence,
    find_sound_duplicates,
    find_sound_sizes,
    find_unreadable_sounds,
)
from workbench.doctor.texts import find_exact_duplicates, find_lengths, find_near_duplicates, find_personal_data
from workbench.doctor.videos import find_unreadable_videos, find_video_duplicates
from workbench.doctor.with_model import find_hubs, find_truncated_texts
from workbench.job_folder import JobFolder
from workbench.workspace import Workspace, disk_full_in_words, read_json, write_json

CHECK_FILE = "check.json"

# Each looks for its faults in an Examined collection and yields the findings.
CHECKS: list[Callable[[Examined], Iterable[Finding]]] = [
    find_exact_duplicates,
    find_near_duplicates,
    find_contradictions,
    find_false_negatives,
    find_leaked_queries,
    find_leaked_documents,
    find_imbalance,
    find_direction,
    find_personal_data,
    find_lengths,
    find_picture_duplicates,
    find_sound_duplicates,
    find_video_duplicates,
    find_unreadable_pictures,
    find_unreadable_sounds,
    find_unreadable_videos,
    find_blank_pictures,
    find_silence,
    find_picture_sizes,
    find_sound_sizes,
    find_truncated_texts,
    find_hubs,
]


@dataclass(frozen=True)
class Check:
    """What was found, when, with which model ("" for none), and in which version of the collection.

    current: the collection is still that version.
    """

    findings: list[Finding]
    fingerprint: str
    model: str
    created: float
    current: bool


def run_check(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of a `check` job: spec {"collection", "model" (None for none)}, and perhaps trust_remote_code."""
    spec = job.spec
    trusted = bool(spec.get("trust_remote_code"))
    return check_collection(workspace, spec["collection"], spec.get("model"), job.progress, trust_remote_code=trusted)


def check_collection(
    workspace: Workspace,
    name: str,
    model: str | None = None,
    progress: Progress | None = None,
    *,
    trust_remote_code: bool = False,
) -> dict[str, Any]:
    """Look a collection over; keep and return what was found: {"collection", "findings": […]}, the gravest first.

    model: an embedder; with it, texts that it would cut and hubs are looked for too. progress(done, total, note) may
    raise Stopped: the last check then stays. Raises WorkbenchError if there is no such collection or model.
    """
    collection = open_collection(workspace, name)
    if progress is not None:
        progress(0, len(CHECKS), "Reading the collection")
    embedder = None
    if model:
        from workbench.models.load import load_embedder

        embedder = load_embedder(workspace, model, trust_remote_code=trust_remote_code)
    examined = Examined(collection, embedder, progress, workspace.evaluations / "vectors")
    findings: list[Finding] = []
    for number, find in enumerate(CHECKS):
        if progress is not None:
            what = find.__name__.removeprefix("find_").replace("_", " ")
            progress(number, len(CHECKS), f"Looking for {what}")
        findings.extend(find(examined))
    findings = by_severity(findings)
    _keep(collection, findings, model or "")
    return {"collection": name, "findings": [finding.as_json() for finding in findings]}


def read_check(workspace: Workspace, name: str) -> Check | None:
    """The last check of a collection; None if it was never checked, or its check.json cannot be read."""
    collection = open_collection(workspace, name)
    try:
        stored = read_json(collection.path / CHECK_FILE)
        findings = [Finding.from_stored(value) for value in stored["findings"]] if stored else []
    except (ValueError, KeyError, TypeError):
        return None
    if not stored:
        return None
    return Check(
        findings,
        stored["fingerprint"],
        stored.get("model") or "",
        float(stored.get("created") or 0.0),
        stored["fingerprint"] == collection.fingerprint,
    )


def _keep(collection: Collection, findings: list[Finding], model: str) -> None:
    with disk_full_in_words(collection.path):
        write_json(
            collection.path / CHECK_FILE,
            {
                "fingerprint": collection.fingerprint,
                "model": model,
                "created": time.time(),
                "findings": [finding.as_stored() for finding in findings],
            },
        )
