"""Where a model comes from: `starter`, `starter-reranker`, `run:NAME` or `run:NAME@STEP`, a folder, an id on the
Hugging Face Hub, or an address, `remote:NAME`.

`find` turns a reference into a folder that holds safetensors weights, or says in words why it cannot. Weights in
pickle formats are never fetched and never loaded, because loading them can run a stranger's code.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.models.added import PREFIX, added_folder, added_model
from workbench.models.checkpoint import RUN, model_folder, run_name, step_named
from workbench.models.hub import fetch, fetch_weights, weights_here
from workbench.models.refusals import modules_of, read_settings, refuse_unfit
from workbench.models.remote import PREFIX as REMOTE
from workbench.models.remote import remote_model
from workbench.models.starter import starter_folder
from workbench.workspace import Workspace, check_name, read_json

STARTERS = ("starter", "starter-reranker")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)
SETTINGS_PATTERNS = ["README.md", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "*.metadata"]
KINDS_BY_CLASS = {
    "SentenceTransformer": "embedder",
    "CrossEncoder": "reranker",
    "MultiVectorEncoder": "late-interaction",
    "ColBERT": "late-interaction",  # as PyLate wrote it
}


@dataclass(frozen=True)
class ModelSource:
    """A model that has been found. `folder` is None for a starter, and for one behind an address.

    trusted: it comes from a run whose user let the base model run its own code.
    """

    reference: str
    folder: Path | None
    kind: str
    revision: str = ""
    trusted: bool = False


def find(workspace: Workspace, reference: str, *, trust_remote_code: bool = False) -> ModelSource:
    """Find a model, fetching it from the Hub if need be. Raises WorkbenchError with what to do next."""
    reference = reference.strip()
    if reference in STARTERS:
        return ModelSource(reference, None, "reranker" if reference.endswith("reranker") else "embedder")
    if reference.startswith(REMOTE):
        return ModelSource(reference, None, remote_model(workspace, reference).kind)
    if reference.startswith(RUN):
        name = run_name(reference)
        source = _from_folder(reference, model_folder(workspace, reference))
        # Whoever let a base model run its code in training has said so for the result too.
        spec = (read_json(workspace.run(name) / "job.json") or {}).get("spec") or {}
        base = added_model(workspace, str(spec.get("model")))
        return replace(source, trusted=bool(spec.get("trust_remote_code")) or (base is not None and base.trusted))
    added = added_model(workspace, reference)
    trusted = trust_remote_code or (added is not None and added.trusted)
    if reference.startswith(PREFIX):
        return _from_folder(reference, added_folder(workspace, reference), trusted)
    path = Path(reference).expanduser()
    if reference and path.is_dir():
        return _from_folder(reference, path, trusted)
    if HUB_ID.fullmatch(reference):
        settings, _ = fetch(reference, SETTINGS_PATTERNS)
        refuse_unfit(reference, settings, trusted=trusted)
        patterns = [*SETTINGS_PATTERNS, "*.safetensors", *(["*.py"] if trusted else [])]
        folder, revision = fetch_weights(reference, patterns)
        return replace(_from_folder(reference, folder, trusted), revision=revision)
    raise _no_such_model(reference)


def is_here(reference: str) -> bool:
    """Whether a model can be loaded without fetching anything: all can but those of the Hub that were never used."""
    return not HUB_ID.fullmatch(reference) or Path(reference).is_dir() or weights_here(reference)


def check_here(reference: str) -> str:
    """The reference again; raises WorkbenchError if it would have to be fetched while somebody waits for an answer."""
    if not is_here(reference):
        raise WorkbenchError(
            f"“{reference}” is not on this computer yet. Fetch it with “Add a model” on the Train tab."
        )
    return reference


def settings_folder(workspace: Workspace, reference: str) -> Path:
    """A folder with a model's settings files; of one on the Hub nothing else is fetched. Errors come in words."""
    if HUB_ID.fullmatch(reference) and not Path(reference).is_dir():
        return fetch(reference, SETTINGS_PATTERNS)[0]
    if reference in STARTERS:
        return starter_folder()
    if reference.startswith(RUN):
        return model_folder(workspace, reference)
    if reference.startswith(PREFIX):
        return added_folder(workspace, reference)
    if reference.startswith(REMOTE):
        raise WorkbenchError(
            f"“{reference}” lies behind an address: it has no files here, and nothing to train. To try it: "
            f"python -m workbench models remote check {reference.removeprefix(REMOTE)}"
        )
    folder = Path(reference).expanduser()
    if reference and folder.is_dir():
        return folder
    raise _no_such_model(reference)


def _no_such_model(reference: str) -> WorkbenchError:
    return WorkbenchError(
        f"There is no model “{reference[:100]}”. Write starter, run:NAME, a folder, or a Hub id such as "
        "sentence-transformers/all-MiniLM-L6-v2."
    )


def typed_reference(reference: str, *, remote: bool = False) -> str:
    """A model as somebody may name it on the page: a starter, a run, or an id on the Hub, never a folder.

    remote: also one behind an address, whose owner pays for it. Only where the page's users are its owner or have a
    login.

    The page may be open to others than the owner of this computer, and no path comes from their text. Who has a
    terminal here names a folder on the command line. Raises WorkbenchError for anything else.
    """
    reference = reference.strip()
    if reference in STARTERS:
        return reference
    for prefix, noun in ((RUN, "run"), (PREFIX, "model"), *([(REMOTE, "model")] if remote else [])):
        if reference.startswith(prefix):
            check_name(run_name(reference) if prefix == RUN else reference.removeprefix(prefix), noun)
            step_named(reference)
            return reference
    if HUB_ID.fullmatch(reference) and not Path(reference).exists():
        return reference
    raise WorkbenchError(
        f"“{reference[:100]}” cannot be used on the page. Choose from the list, or write a Hub id such as "
        "sentence-transformers/all-MiniLM-L6-v2. A model in a folder is named on the command line, with --model."
    )


def _from_folder(reference: str, folder: Path, trusted: bool = True) -> ModelSource:
    """Check that a folder holds a model we may load, and of which kind."""
    refuse_unfit(reference, folder, trusted=trusted)
    if not (folder / "modules.json").exists() and not (folder / "config.json").exists():
        raise WorkbenchError(
            f"The folder “{folder.name}” is no model: it has neither modules.json nor config.json. "
            "Choose a folder saved by Sentence Transformers or Transformers."
        )
    if not any(folder.rglob("*.safetensors")):
        raise WorkbenchError(
            f"“{reference}” has no safetensors weights. Weights in other formats can run a stranger's code when they "
            "are opened, so they are not loaded. Ask its author for safetensors, or choose another model."
        )
    return ModelSource(reference, folder, kind_of(folder), trusted=trusted)


def kind_of(folder: Path) -> str:
    """`embedder`, `reranker` or `late-interaction`, from what the folder says of itself."""
    card = read_settings(folder / "config_sentence_transformers.json")
    if card.get("model_type") in KINDS_BY_CLASS:
        return KINDS_BY_CLASS[card["model_type"]]
    if any(str(module.get("type", "")).startswith("pylate.") for module in modules_of(folder)):
        return "late-interaction"
    architectures = read_settings(folder / "config.json").get("architectures") or [""]
    if architectures[0] == "HF_ColBERT" or architectures[0].endswith("ForRetrieval"):
        return "late-interaction"
    if not (folder / "modules.json").exists() and "SequenceClassification" in architectures[0]:
        return "reranker"
    return "embedder"


def fingerprint_folder(folder: Path, changes: str = "") -> str:
    """Changes when any weight or setting of the model changes; not with where the folder lies.

    Covers every safetensors and JSON file: weights, dimension, pooling, normalisation, prompts; and the `changes` made
    to it after loading.
    """
    digest = hashlib.blake2b(changes.encode(), digest_size=8)
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".json") and path.is_file():
            digest.update(str(path.relative_to(folder)).encode() + b"\0")
            with open(path, "rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
    return digest.hexdigest()
