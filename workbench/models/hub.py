"""Fetch a model's files from the Hugging Face Hub, and never its pickled weights.

Where a model has pickled weights alone, the Hub's own bot has often offered them as safetensors in a pull request that
its author did not merge. Those are taken if they were made from the weights that the model has now.
"""

from __future__ import annotations

from pathlib import Path

from workbench.errors import WorkbenchError

# A raw OpenCLIP copy of the weights often lies beside the converted one.
NEVER_FETCHED = ["open_clip_*.safetensors"]
CONVERTER, CONVERTED_TITLE = "SFconvertbot", "Adding `safetensors` variant of this model"
PICKLED = "pytorch_model.bin"


def fetch(reference: str, patterns: list[str], revision: str | None = None) -> tuple[Path, str]:
    """Fetch a model's files of these `patterns` from the Hub; (folder, commit). Errors come in words."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
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
    except (LocalEntryNotFoundError, OSError, HfHubHTTPError) as error:
        raise WorkbenchError(
            f"“{reference}” is not on this computer and the Hub cannot be reached. Where there is a network, type: "
            f"hf download {reference}   – or use starter, which needs no network."
        ) from error
    return folder, folder.name


def fetch_weights(reference: str, patterns: list[str]) -> tuple[Path, str]:
    """As `fetch`, but from the Hub's own conversion to safetensors where the model itself has none."""
    folder, commit = fetch(reference, patterns)
    if any(folder.rglob("*.safetensors")):
        return folder, commit
    kept = _conversion_kept_here(folder)
    if kept is not None:
        return kept, kept.name
    revision = converted_revision(reference)
    return fetch(reference, patterns, revision) if revision else (folder, commit)


def converted_revision(reference: str) -> str:
    """The pull request in which the Hub's bot offers safetensors of the weights as they are now; empty if none."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    hub = HfApi()
    try:
        for one in hub.get_repo_discussions(reference, author=CONVERTER, discussion_type="pull_request"):
            ours = one.author == CONVERTER and one.title == CONVERTED_TITLE and one.is_pull_request
            if ours and one.status == "open" and one.git_reference:
                now, then = (_content(hub, reference, revision) for revision in ("main", one.git_reference))
                if now and now == then:
                    return one.git_reference
    except (OfflineModeIsEnabled, HfHubHTTPError, OSError):
        return ""
    return ""


def _content(hub: object, reference: str, revision: str) -> str:
    """The hash of a model's pickled weights at a revision; empty if there are none in one file."""
    for file in hub.get_paths_info(reference, [PICKLED], revision=revision):  # type: ignore[attr-defined]
        if getattr(file, "lfs", None) is not None:
            return str(file.lfs.sha256)
    return ""


def _conversion_kept_here(folder: Path) -> Path | None:
    """A conversion that was fetched before, found beside the model's own snapshot, so that no network is needed."""
    kept = folder.parent.parent
    for reference in sorted((kept / "refs" / "refs" / "pr").glob("*")):
        snapshot = kept / "snapshots" / reference.read_text(encoding="utf-8").strip()
        if any(snapshot.rglob("*.safetensors")):
            return snapshot
    return None
