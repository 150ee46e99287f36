"""What a model can do, found out by loading it and giving it one of each thing it says it reads."""

from __future__ import annotations

import io
import re
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.models.added import PREFIX, AddedModel, add_model, folder_reference
from workbench.models.catalogue import entry
from workbench.models.embedder import WORDS, Embedder
from workbench.models.families import NO_FAMILY, PROMPT_NAMES, SIDES, family_of, namesake
from workbench.models.listing import memory_bytes
from workbench.models.load import load_embedder, load_reranker
from workbench.models.refusals import missing_packages, wants_own_code
from workbench.models.reranker import Reranker
from workbench.models.source import STARTERS, find, kind_of, settings_folder
from workbench.workspace import Workspace


def examine(workspace: Workspace, reference: str, *, trust_remote_code: bool = False) -> dict[str, Any]:
    """What a model is and can do, by its reference. Fetches and loads it unless its settings rule that out.

    {"reference", "kind", "modalities", "dimension", "parameters", "bytes", "prompts", "licence", "packages" that are
    missing, "own_code", "notes", "problem"}; "problem" says in words why it cannot be used, and is empty if it can.
    """
    found: dict[str, Any] = {
        "reference": reference, "kind": "", "modalities": [], "dimension": None, "parameters": None, "bytes": None,
        "prompts": {}, "licence": "", "packages": [], "own_code": False, "notes": [], "problem": "",
    }  # fmt: skip
    try:
        folder = settings_folder(workspace, reference)
        found |= {"kind": kind_of(folder), "packages": missing_packages(folder), "own_code": wants_own_code(folder)}
        found |= {"licence": licence_of(reference, folder), "notes": notes_on(reference, folder)}
        model = _load(workspace, reference, trust_remote_code)
        found |= measured(model)
        found["notes"] += [
            *_notes_on_prompts(model),
            *_notes_on_family(model, folder),
            *_notes_on_pooling(model, folder),
        ]
    except WorkbenchError as error:
        found["problem"] = str(error)
    return found


def add(
    workspace: Workspace, reference: str, *, trust_remote_code: bool = False, prompts: dict[str, str] | None = None
) -> dict[str, Any]:
    """Examine a model and add it to the workspace's own. Returns what was found; raises WorkbenchError if unusable."""
    if reference.startswith(("run:", PREFIX)) or reference in STARTERS:
        raise WorkbenchError(f"“{reference}” can be chosen everywhere already.")
    found = examine(workspace, reference, trust_remote_code=trust_remote_code)
    if found["problem"]:
        raise WorkbenchError(found["problem"])
    if prompts and found["kind"] != "embedder":
        raise WorkbenchError(
            f"“{reference}” is a {found['kind']} model. Only embedders take prompts of their user: add it without "
            "--query-prompt and --document-prompt."
        )
    folder = Path(reference).expanduser()
    local = folder.is_dir()
    known = entry(reference)
    model = AddedModel(
        reference=folder_reference(workspace, folder.resolve()) if local else reference,
        kind=found["kind"],
        modalities=found["modalities"],
        dimension=found["dimension"],
        parameters=found["parameters"],
        licence=found["licence"],
        words=known.words if known else "Added by you.",
        prompts=prompts or {},
        folder=str(folder.resolve()) if local else "",
        trusted=trust_remote_code,
    )
    add_model(workspace, model)
    return found | {"reference": model.reference, "prompts": found["prompts"] | (prompts or {})}


def run_add(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of an `add-model` job: spec {"reference"}. Returns what `add` found."""
    job.progress(0, 1, "Fetching the model and trying it")
    return add(workspace, job.spec["reference"])


def measured(model: Embedder | Reranker) -> dict[str, Any]:
    """Kind, modalities that it really reads, dimension, parameters, memory and prompts of a loaded model.

    Raises WorkbenchError if it reads nothing of what it says.
    """
    parameters = sum(weight.numel() for weight in model.model.parameters())
    tried = [kind for kind in model.modalities if kind in WORDS]
    problems = {kind: problem for kind in tried if (problem := _problem_with(model, kind))}
    readable = [kind for kind in model.modalities if not set(kind.split("+")) & set(problems)]
    if not readable:
        raise WorkbenchError(f"“{model.reference}” loads, but reads nothing: {next(iter(problems.values()), '')}")
    prompts = getattr(model.model, "prompts", None) or {}
    return {
        "kind": model.kind if isinstance(model, Reranker) else "embedder",
        "modalities": readable,
        "dimension": model.dimension,
        "parameters": parameters,
        "bytes": memory_bytes(parameters),
        "prompts": {side: prompts[side] for side in SIDES if prompts.get(side)},
    }


def licence_of(reference: str, folder: Path) -> str:
    """The licence: the catalogue's word, or that of the model's own card; empty if neither says."""
    known = entry(reference)
    if known is not None:
        return known.licence
    try:
        card = (folder / "README.md").read_text(encoding="utf-8")
    except OSError:
        return ""
    stated = re.match(r"---\n(?:.*\n)*?license:[ \t]*['\"]?([\w.-]+)", card)
    return stated.group(1) if stated else ""


def notes_on(reference: str, folder: Path) -> list[str]:
    """What a user should know of it that its files or its family tell."""
    family = family_of(reference, folder)
    notes = [note for note in (family.note, family.untrainable) if note]
    if (folder / "colbert_linear.pt").exists() or (folder / "sparse_linear.pt").exists():
        notes.append("Only its dense vectors are used, not its sparse or token-by-token ones.")
    return list(dict.fromkeys(notes))


def _notes_on_prompts(model: Embedder | Reranker) -> list[str]:
    """A word on prompts that the checkpoint has under names of its own, which are not put before anything."""
    prompts = getattr(model.model, "prompts", None) or {}
    others = [name for name in prompts if not any(name in names for names in PROMPT_NAMES.values())]
    if others and not any(prompts.get(side) for side in SIDES):
        return [
            f"It has prompts under names of its own ({', '.join(others[:5])}), which are not used. To use one, add the "
            "model with --query-prompt and --document-prompt."
        ]
    return []


def _notes_on_family(model: Embedder | Reranker, folder: Path) -> list[str]:
    """A word on a folder that is called as the models of a family are, and reads without that family's prompts."""
    prompts = getattr(model.model, "prompts", None) or {}
    family = namesake(folder) if family_of(model.reference, folder) == NO_FAMILY else NO_FAMILY
    if not any(family.prompts.values()) or any(prompts.get(side) for side in SIDES):
        return []
    wanted = " ".join(f"--{side}-prompt “{words}”" for side, words in family.prompts.items() if words)
    return [
        f"Models of this name are of the family {family.name}, which reads with prompts that this folder does not "
        f"state. If it is one of them, add it with {wanted}."
    ]


def _notes_on_pooling(model: Embedder | Reranker, folder: Path) -> list[str]:
    """A word where the library chose how tokens become one vector, since the checkpoint does not say."""
    pools = any(type(module).__name__ == "Pooling" for module in model.model.modules())
    if isinstance(model, Reranker) or not pools or (folder / "modules.json").exists():
        return []
    return [
        "It states no pooling, so its vectors are the mean over its tokens, which is a guess. Evaluate it before you "
        "rely on it."
    ]


def _load(workspace: Workspace, reference: str, trust: bool) -> Embedder | Reranker:
    if find(workspace, reference, trust_remote_code=trust).kind == "embedder":
        return load_embedder(workspace, reference, trust_remote_code=trust)
    return load_reranker(workspace, reference, trust_remote_code=trust)


def _problem_with(model: Embedder | Reranker, kind: str) -> str:
    """Why a model cannot read an example of a modality; empty if it can."""
    example = _example("image" if kind == "video" else kind)
    try:
        if isinstance(model, Embedder):
            model.encode_documents([example])
        else:
            asked = _example("text") if "text" in model.modalities else example
            model.score(asked, [replace(example, id="")])
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError, ImportError) as error:
        return f"{WORDS[kind]}: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
    return ""


def _example(kind: str) -> Item:
    """A small item of one modality."""
    if kind == "text":
        return Item(text="a red circle on the left")
    file = io.BytesIO()
    if kind == "image":
        from PIL import Image

        Image.new("RGB", (64, 64), (200, 60, 40)).save(file, "PNG")
        return Item(image=file.getvalue())
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(bytes(2 * 16000))
    return Item(audio=file.getvalue())
