"""What a select offers, read from disk: collections, embedders, rerankers; and what is in hand."""

from __future__ import annotations

from collections.abc import Iterable

from workbench import jobs
from workbench.collection.store import list_collections
from workbench.job_folder import JobFolder
from workbench.models import catalogue
from workbench.models.added import PREFIX, added_models, was_joined
from workbench.models.checkpoint import RUN, run_name, step_named, steps_kept
from workbench.models.encoders import PROPOSED
from workbench.models.listing import all_models
from workbench.models.remote import remotes
from workbench.ui import words
from workbench.ui.place import Place
from workbench.workspace import Workspace


def collection_in_hand(workspace: Workspace, place: Place) -> str:
    """The collection chosen, else the newest; empty where there is none."""
    names = [card.name for card in list_collections(workspace)]
    return place.collection if place.collection in names else names[0] if names else ""


def finished_runs(workspace: Workspace, *kinds: str) -> list[JobFolder]:
    """The runs whose model can be used, the newest first."""
    return [
        run
        for run in jobs.list_runs(workspace)
        if run.status().state == "finished" and run.spec.get("kind", "embedder") in kinds
    ]


def checkpoint_choices(workspace: Workspace, *kinds: str) -> list[tuple[str, str]]:
    """The checkpoints that runs of these kinds have kept, or have so far. (label, reference)."""
    return [
        (f"{run.name} at step {step:,} (checkpoint)", f"{RUN}{run.name}@{step}")
        for run in jobs.list_runs(workspace)
        if run_kind(run) in kinds
        for step in steps_kept(run.path)
    ]


def run_kind(run: JobFolder) -> str:
    """embedder, reranker or late-interaction."""
    return str(run.spec.get("kind", "embedder"))


def run_base(run: JobFolder) -> str:
    """The reference of the model that a run started from."""
    return str(run.spec.get("model", "starter"))


def model_name(reference: str) -> str:
    """How a reference is shown: a run and an added folder by their names, the rest as it is."""
    if reference.startswith(RUN) and "@" in reference:
        return f"{run_name(reference)}, step {step_named(reference):,}"
    return reference.removeprefix("run:").removeprefix(PREFIX)


def embedder_choices(workspace: Workspace) -> list[tuple[str, str]]:
    """Embedders to search and evaluate with: own runs, the starter, those added and listed. (label, reference)."""
    own = [(f"{run.name} (your run)", f"run:{run.name}") for run in finished_runs(workspace, "embedder")]
    return [*own, *_starter_first(_listed(workspace, "embedder"), "starter")]


def reranker_choices(workspace: Workspace, *kinds: str) -> list[tuple[str, str]]:
    """Rerankers of these kinds, or of both: own runs, the starter reranker, those added and listed."""
    kinds = kinds or ("reranker", "late-interaction")
    own = [(f"{run.name} (your run)", f"run:{run.name}") for run in finished_runs(workspace, *kinds)]
    listed = _listed(workspace, *kinds)
    return [*own, *(_starter_first(listed, "starter-reranker") if "reranker" in kinds else listed)]


def remote_choices(workspace: Workspace, kind: str) -> list[tuple[str, str]]:
    """Models behind an address, each with the host that gets what is sent to it. None of them can be trained."""
    return [(f"{one.name} (at {one.host})", one.reference) for one in remotes(workspace) if one.kind == kind]


def base_choices(workspace: Workspace, kind: str) -> list[tuple[str, str]]:
    """Models that a run of this kind may start from. Late interaction starts from an embedder too."""
    if kind == "reranker":
        return reranker_choices(workspace, "reranker")
    return [*embedder_choices(workspace), *(reranker_choices(workspace, kind) if kind != "embedder" else [])]


def encoder_choices(workspace: Workspace, modality: str) -> list[tuple[str, str]]:
    """Models out of which an encoder of pictures or sound can be taken: those proposed, and those the user added."""
    added = [
        (f"{model_name(one.reference)} (added by you)", one.reference)
        for one in added_models(workspace)
        if modality in one.modalities and not was_joined(workspace, one)
    ]
    return [*added, *((reference, reference) for reference in PROPOSED[modality])]


def unread(workspace: Workspace, reference: str, needed: Iterable[str]) -> list[str]:
    """The modalities of `needed` that a model cannot read; empty where nothing is known of it."""
    known = catalogue.describe_base(workspace, reference).get("modalities")
    missing = {modality for modality in needed if known and modality not in known}
    return sorted(missing, key=lambda modality: [*words.MODALITY_PLURALS, modality].index(modality))


def with_limits(workspace: Workspace, choices: list[tuple[str, str]], needed: Iterable[str]) -> list[tuple[str, str]]:
    """The same choices, those last that cannot read all of `needed`, each saying what it cannot read."""
    wanted = list(needed)
    able, limited = [], []
    for label, reference in choices:
        missing = unread(workspace, reference, wanted)
        if missing:
            limited.append((f"{label} · cannot read {words.plurals(missing)}", reference))
        else:
            able.append((label, reference))
    return [*able, *limited]


def _listed(workspace: Workspace, *kinds: str) -> list[tuple[str, str]]:
    """The models that the user added and those of the catalogue, of these kinds."""
    rows = [row for row in all_models(workspace) if row["kind"] in kinds]
    return [(model_name(row["reference"]) + " (added by you)" * row["added"], row["reference"]) for row in rows]


def _starter_first(listed: list[tuple[str, str]], starter: str) -> list[tuple[str, str]]:
    others = [choice for choice in listed if choice[1] != starter]
    return [(f"{starter} (offline)", starter), *others]
