"""The spec of a run: every choice and setting of it, checked before anything starts."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.collection.review import settle
from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.evaluation.held_out import nothing_held_out
from workbench.job_folder import JobFolder
from workbench.settings import KINDS
from workbench.training.pairs import too_few_pairs
from workbench.training.presets import check_conflicts, first_lesson, learnt_from, preset_settings
from workbench.training.shape import Shape, shape_of
from workbench.workspace import Workspace


def train_spec(
    workspace: Workspace,
    *,
    collection: str,
    model: str,
    kind: str = "embedder",
    preset: str = "quick",
    overrides: dict[str, Any] | None = None,
    first_stage: str | None = None,
    first_stage_dimension: int | None = None,
    second_collection: str = "",
    trust_remote_code: bool = False,
    starts: bool = True,
) -> dict[str, Any]:
    """The whole spec of a run, checked before anything starts. Raises WorkbenchError for what cannot work.

    kind: embedder, reranker or late-interaction. overrides: settings that the user set. first_stage: the embedder whose
    first documents a reranker puts in order; without one, the newest finished embedder run on the collection, else
    the model itself or `starter`. second_collection: another one that the model is scored on before and after, which
    tells what it forgot. starts: the run starts next, so reviews that wait are brought into the collection first; an
    estimate leaves it as it is.
    """
    from workbench.models.catalogue import check_trainable, describe
    from workbench.models.join import has_projections
    from workbench.training.shape import choose_objective
    from workbench.training.teacher import check_named_models

    if kind not in KINDS:
        raise WorkbenchError(f"There is no kind of run “{kind}”. Choose {', '.join(KINDS)}.")
    if starts:
        settle(workspace, collection)
    data = open_collection(workspace, collection)
    check_trainable(workspace, model)
    about = describe(workspace, model)
    if about["kind"] not in ("embedder", kind):
        raise WorkbenchError(f"“{model}” is a {about['kind']} model. Choose an embedder, or the kind {about['kind']}.")
    check_readable(model, about["modalities"], kind, data.card.modalities)
    second = open_collection(workspace, second_collection) if second_collection else None
    if second is not None:
        check_readable(model, about["modalities"], kind, second.card.modalities)
        if not second.card.counts.get("eval"):
            raise nothing_held_out(second_collection)
    pairs = int(data.card.counts.get("train", 0))
    if pairs < 2:
        raise too_few_pairs(collection, pairs)
    if not data.card.counts.get("eval"):
        raise nothing_held_out(collection)
    shape, learnt, most = look_at(data.path, data.fingerprint)
    wanted = first_lesson(workspace, model, kind, overrides)
    settings = preset_settings(preset, kind, learnt, int(about["parameters"] or 0), wanted, most)  # type: ignore[arg-type]
    check_conflicts(settings, kind, about)
    if settings.thaw_after and has_projections(workspace, model) is False:
        raise WorkbenchError(f"“{model}” has no projections that could learn before the rest. Set Thaw after to 0.")
    objective = choose_objective(shape, kind, settings)
    check_conflicts(settings.model_copy(update={"objective": objective.name}), kind, about)
    check_named_models(workspace, objective.name, settings)
    spec: dict[str, Any] = {
        "kind": kind,
        "objective": objective.name,
        "objective_words": objective.sentence,
        "model": model,
        "collection": collection,
        "collection_fingerprint": data.fingerprint,
        "preset": preset,
        "settings": settings.model_dump(),
        "trust_remote_code": trust_remote_code,
    }
    if second is not None:
        spec |= {"second_collection": second_collection, "second_fingerprint": second.fingerprint}
    if kind != "embedder":
        spec["first_stage"] = first_stage or default_first_stage(workspace, collection, model, about["kind"])
        spec["first_stage_dimension"] = first_stage_dimension
    return spec


@lru_cache(maxsize=16)
def look_at(collection: Path, fingerprint: str) -> tuple[Shape, int, int]:
    """The shape of a collection's judgements, and what `learnt_from` says; a form asks at each change of a field.

    fingerprint: changes with every judgement, so what is remembered is never out of date.
    """
    data = Collection(collection)
    shape = shape_of(data)
    return shape, *learnt_from(data, shape)


def check_readable(model: str, readable: list[str], kind: str, modalities: dict[str, list[str]]) -> None:
    """Raise WorkbenchError if the model is known to be unable to read what it should learn from.

    An embedder must read everything; the other kinds put in order what they can read, and need some of each side.
    """
    from workbench.models.embedder import in_words

    sides = [modalities["query"], modalities["document"]]
    if kind == "embedder":
        sides = [[modality] for side in sides for modality in side]
    unread = [modality for side in sides for modality in side if not set(side) & set(readable)]
    if readable and unread:
        raise WorkbenchError(
            f"“{model}” cannot read {in_words(dict.fromkeys(unread))}, which this collection holds; it reads "
            f"{in_words(readable)}. Choose a model that reads both sides."
        )


def default_first_stage(workspace: Workspace, collection: str, model: str, model_kind: str) -> str:
    """The embedder a new reranker works behind: the newest finished run on the collection, else the model itself."""
    found: list[tuple[float, str]] = []
    for path in workspace.runs.iterdir():
        try:
            job = JobFolder(path).job
            spec, created = dict(job["spec"]), float(job["created"])
        except (WorkbenchError, TypeError, ValueError):  # a folder whose job.json is damaged is no run
            continue
        if spec.get("collection") == collection and spec.get("kind") == "embedder" and (path / "model").is_dir():
            found.append((created, path.name))
    if found:
        return f"run:{max(found)[1]}"
    return model if model_kind == "embedder" else "starter"
