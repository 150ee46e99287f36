"""Where a model comes from: `starter`, `starter-reranker`, `run:NAME`, a folder, or an id on the Hugging Face Hub.

`find` turns a reference into a folder that holds safetensors weights, or says in words why it cannot. Weights in
pickle formats are never fetched and never loaded, because loading them can run a stranger's code.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, check_name, read_json

STARTERS = ("starter", "starter-reranker")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)
FETCHED_PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.tiktoken"]
KINDS_BY_CLASS = {
    "SentenceTransformer": "embedder",
    "CrossEncoder": "reranker",
    "MultiVectorEncoder": "late-interaction",
}


@dataclass(frozen=True)
class ModelSource:
    """A model that has been found. `folder` is None for a starter.

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
    if reference.startswith("remote:"):
        raise WorkbenchError("Models behind an address cannot be used here. Choose a run, a folder or a Hub id.")
    if reference.startswith("run:"):
        name = reference.removeprefix("run:")
        source = _from_folder(reference, run_model_folder(workspace, name))
        # Whoever let a base model run its code in training has said so for the result too.
        spec = (read_json(workspace.run(name) / "job.json") or {}).get("spec") or {}
        return replace(source, trusted=bool(spec.get("trust_remote_code")))
    path = Path(reference).expanduser()
    if reference and path.is_dir():
        return _from_folder(reference, path)
    if HUB_ID.fullmatch(reference):
        folder, revision = fetch(reference, trust_remote_code=trust_remote_code)
        source = _from_folder(reference, folder)
        return ModelSource(reference, source.folder, source.kind, revision)
    raise WorkbenchError(
        f"There is no model “{reference[:100]}”. Write starter, run:NAME, a folder, or a Hub id such as "
        "sentence-transformers/all-MiniLM-L6-v2."
    )


def typed_reference(reference: str) -> str:
    """A model as somebody may name it on the page: a starter, a run, or an id on the Hub, never a folder.

    The page may be open to others than the owner of this computer, and no path comes from their text. Who has a
    terminal here names a folder on the command line. Raises WorkbenchError for anything else.
    """
    reference = reference.strip()
    if reference in STARTERS:
        return reference
    if reference.startswith("run:"):
        check_name(reference.removeprefix("run:"), "run")
        return reference
    if HUB_ID.fullmatch(reference) and not Path(reference).exists():
        return reference
    raise WorkbenchError(
        f"“{reference[:100]}” cannot be used on the page. Choose from the list, or write a Hub id such as "
        "sentence-transformers/all-MiniLM-L6-v2. A model in a folder is named on the command line, with --model."
    )


def run_model_folder(workspace: Workspace, name: str) -> Path:
    """The result folder of a run. Raises WorkbenchError if there is no such run or no result yet."""
    run = workspace.run(name)
    if not (run / "job.json").exists():
        raise WorkbenchError(f"There is no run named “{name}”.")
    folder = run / "model"
    if not folder.is_dir():
        state = (read_json(run / "status.json") or {}).get("state", "unknown")
        raise WorkbenchError(
            f"The run “{name}” has no model yet: it is {state}. Wait until it has finished, or resume it."
        )
    return folder


def fetch(reference: str, *, trust_remote_code: bool = False) -> tuple[Path, str]:
    """Fetch a model's safetensors weights and settings from the Hub; (folder, commit). Errors come in words."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    patterns = [*FETCHED_PATTERNS, *(["*.py"] if trust_remote_code else [])]
    try:
        folder = Path(snapshot_download(reference, allow_patterns=patterns))
    except GatedRepoError as error:
        raise WorkbenchError(
            f"“{reference}” asks its users to agree to terms first. Open https://huggingface.co/{reference}, agree, "
            "then type: hf auth login"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise WorkbenchError(
            f"The Hub has no model “{reference}”, or it is private. Check the spelling; for a private one type: "
            "hf auth login"
        ) from error
    except (LocalEntryNotFoundError, OSError, HfHubHTTPError) as error:
        raise WorkbenchError(
            f"“{reference}” is not on this computer and the Hub cannot be reached. Where there is a network, type: "
            f"hf download {reference}   – or use starter, which needs no network."
        ) from error
    return folder, folder.name


def _from_folder(reference: str, folder: Path) -> ModelSource:
    """Check that a folder holds a model we may load, and of which kind."""
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
    return ModelSource(reference, folder, kind_of(folder))


def kind_of(folder: Path) -> str:
    """`embedder`, `reranker` or `late-interaction`, from what the folder says of itself."""
    card = _read(folder / "config_sentence_transformers.json")
    if card.get("model_type") in KINDS_BY_CLASS:
        return KINDS_BY_CLASS[card["model_type"]]
    architectures = _read(folder / "config.json").get("architectures") or [""]
    if not (folder / "modules.json").exists() and "SequenceClassification" in architectures[0]:
        return "reranker"
    return "embedder"


def fingerprint_folder(folder: Path) -> str:
    """Changes when any weight or setting of the model changes; not with where the folder lies.

    Covers every safetensors and JSON file: weights, dimension, pooling, normalisation, prompts.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".json") and path.is_file():
            digest.update(str(path.relative_to(folder)).encode() + b"\0")
            with open(path, "rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
