"""Fetch a model's files from the Hugging Face Hub, and never its pickled weights.

Where a model has pickled weights alone, the Hub's own bot has often offered them as safetensors in a pull request that
its author did not merge. Those are taken if they were made from the weights that the model has now.
"""

from __future__ import annotations

import os
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.workspace import disk_full_in_words, read_json, write_json

# A raw OpenCLIP copy of the weights often lies beside the converted one.
NEVER_FETCHED = ["open_clip_*.safetensors"]
CONVERTER, CONVERTED_TITLE = "SFconvertbot", "Adding `safetensors` variant of this model"
PICKLED = "pytorch_model.bin"
# Beside a model in the Hub's cache: which conversion was taken for which commit of the model.
CONVERSION = "workbench-conversion.json"


def fetch(reference: str, patterns: list[str], revision: str | None = None) -> tuple[Path, str]:
    """Fetch a model's files of these `patterns` from the Hub; (folder, commit). Errors come in words."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        with disk_full_in_words(Path(HF_HUB_CACHE)):
            folder = Path(
                snapshot_download(reference, revision=revision, allow_patterns=patterns, ignore_patterns=NEVER_FETCHED)
            )
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
    except (LocalEntryNotFoundError, OSError, HTTPError) as error:
        raise _out_of_reach(reference) from error
    return folder, folder.name


def _out_of_reach(reference: str) -> WorkbenchError:
    return WorkbenchError(
        f"“{reference}” is not on this computer and the Hub cannot be reached. Where there is a network, type: "
        f"hf download {reference}   – or use starter, which needs no network."
    )


def weights_here(reference: str) -> bool:
    """Whether a model's weights lie on this computer, so that it loads without the network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(reference, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return False
    return any(folder.rglob("*.safetensors")) or _conversion_kept_here(folder) is not None


def fetch_weights(reference: str, patterns: list[str]) -> tuple[Path, str]:
    """As `fetch`, but from the Hub's own conversion to safetensors where the model itself has none.

    Raises WorkbenchError where no weights lie here and the Hub cannot be asked for them.
    """
    folder, commit = fetch(reference, patterns)
    if any(folder.rglob("*.safetensors")):
        return folder, commit
    kept = _conversion_kept_here(folder)
    if kept is not None:
        return kept, kept.name
    revision = converted_revision(reference)
    if not revision:
        return folder, commit
    converted = fetch(reference, patterns, revision)
    _keep_conversion(folder, converted[1], revision)
    return converted


def converted_revision(reference: str) -> str:
    """The pull request in which the Hub's bot offers safetensors of the weights as they are now; empty if none.

    Raises WorkbenchError if the Hub cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    hub = HfApi()
    try:
        for one in hub.get_repo_discussions(reference, author=CONVERTER, discussion_type="pull_request"):
            ours = one.author == CONVERTER and one.title == CONVERTED_TITLE and one.is_pull_request
            if ours and one.status == "open" and one.git_reference:
                now, then = (_content(hub, reference, revision) for revision in ("main", one.git_reference))
                if now and now == then:
                    return one.git_reference
    except HfHubHTTPError:
        return ""
    except (OfflineModeIsEnabled, HTTPError, OSError) as error:
        raise _out_of_reach(reference) from error
    return ""


def _content(hub: object, reference: str, revision: str) -> str:
    """The hash of a model's pickled weights at a revision; empty if there are none in one file."""
    for file in hub.get_paths_info(reference, [PICKLED], revision=revision):  # type: ignore[attr-defined]
        if getattr(file, "lfs", None) is not None:
            return str(file.lfs.sha256)
    return ""


def _conversion_kept_here(folder: Path) -> Path | None:
    """The conversion that was taken for this very commit of the model, so that no network is needed.

    Other pull requests may lie in the cache, and anybody can open one: only what was written down counts.
    """
    note = read_json(folder.parent.parent / CONVERSION) or {}
    snapshot = folder.parent / str(note.get("converted"))
    taken = note.get("commit") == folder.name and any(snapshot.rglob("*.safetensors"))
    return snapshot if taken else None


def _keep_conversion(folder: Path, converted: str, revision: str) -> None:
    """Note that the model in `folder` was taken as `converted`, the commit of a pull request. A shared cache may be
    read-only; then the Hub is asked again the next time."""
    kept = folder.parent.parent
    if os.access(kept, os.W_OK):
        write_json(kept / CONVERSION, {"commit": folder.name, "converted": converted, "pull_request": revision})
