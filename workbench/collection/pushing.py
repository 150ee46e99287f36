"""Push a collection to the Hugging Face Hub: private unless asked otherwise, and never over other data."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.collection.exporting import ABOUT, export_collection
from workbench.collection.hub_words import LOGIN, check_repo_id, hub_in_words
from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.workspace import Workspace, read_json

Progress = Callable[[int, int, str], None]
EVERY_REPO_HAS = {".gitattributes"}


def push_collection(
    workspace: Workspace,
    name: str,
    repo: str,
    *,
    public: bool = False,
    anyway: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Push the collection `name` to the data set `repo` (USER/NAME), in the Parquet form.

    public: everybody may see it. anyway: also where the data doctor found personal data.
    The token is that of `hf auth login` or HF_TOKEN. Nothing is visible on the Hub before all of it is there: the
    files are sent first and committed together.
    Returns {"collection", "repo", "url", "private", "commit", "bytes", "files", "notes"}.
    Raises WorkbenchError if there is no token, network or right to write, if `repo` holds other data or is public
    while a private one was asked for, or if there is personal data.
    """
    from huggingface_hub import HfApi, get_token

    repo = check_repo_id(repo)
    collection = open_collection(workspace, name)
    notes = _check_personal_data(collection, anyway)
    if not get_token():
        raise WorkbenchError(f"To push to the Hub you need to be logged in. Make a token that may write, then {LOGIN}.")
    api = HfApi()
    with hub_in_words(repo, writing=True):
        before = _files_there(api, repo, public)
    folder = Path(tempfile.mkdtemp(dir=workspace.exports, prefix=f".{name}-push."))
    try:
        export = export_collection(workspace, name, to=folder / "new", progress=progress)
        with hub_in_words(repo, writing=True):
            if before is None:
                api.create_repo(repo, repo_type="dataset", private=not public)
            commit = _upload(api, repo, folder / "new", before or set(), name, progress)
            private = bool(api.dataset_info(repo).private)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "collection": name,
        "repo": repo,
        "url": f"{api.endpoint}/datasets/{repo}",
        "private": private,
        "commit": commit,
        "bytes": export["bytes"],
        "files": export["files"],
        "notes": notes,
    }


def run_push(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """The work of a push job. Its spec: collection, repo, public and anyway (both false if missing)."""
    spec = job.spec
    return push_collection(
        workspace,
        spec["collection"],
        spec["repo"],
        public=bool(spec.get("public")),
        anyway=bool(spec.get("anyway")),
        progress=job.progress,
    )


def personal_data(collection: Collection) -> list[str]:
    """What the last check of the data doctor found of personal data, as sentences; none if it found none."""
    try:
        check = read_json(collection.path / "check.json") or {}
    except ValueError:
        return []
    findings = check.get("findings", [])
    return [str(finding.get("sentence", "")) for finding in findings if finding.get("kind") == "personal-data"]


def _check_personal_data(collection: Collection, anyway: bool) -> list[str]:
    """Raise WorkbenchError where personal data was found; returns what to know before others see the collection."""
    found = personal_data(collection)
    if found and not anyway:
        raise WorkbenchError(
            f"“{collection.name}” holds personal data, so it was not pushed. "
            "Take it out and check again, or push anyway.",
            found,
        )
    if found:
        return found
    try:
        checked = (read_json(collection.path / "check.json") or {}).get("fingerprint")
    except ValueError:
        checked = None
    if checked == collection.fingerprint:
        return []
    return ["Nothing has looked for personal data in it since its last change. To look: Data → Check."]


def _files_there(api: Any, repo: str, public: bool) -> set[str] | None:
    """The files of an earlier push to this data set; None if there is no such data set yet."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.dataset_info(repo)
    except RepositoryNotFoundError:
        return None
    files = {sibling.rfilename for sibling in info.siblings or []} - EVERY_REPO_HAS
    if files and ABOUT not in files:
        raise WorkbenchError(f"“{repo}” holds other data already, and that stays as it is. Choose another name.")
    if not info.private and not public:
        raise WorkbenchError(
            f"“{repo}” is there already and everybody can see it. Choose another name, or push it as public."
        )
    return files


def _upload(api: Any, repo: str, folder: Path, before: set[str], name: str, progress: Progress | None) -> str:
    """Send the files one by one, then commit them together; returns the commit's id."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    total, sent = sum(path.stat().st_size for path in paths), 0
    additions = []
    for path in paths:
        if progress:
            progress(sent, total, "Uploading")
        addition = CommitOperationAdd(path.relative_to(folder).as_posix(), path)
        api.preupload_lfs_files(repo, [addition], repo_type="dataset", free_memory=False)
        additions.append(addition)
        sent += path.stat().st_size
    gone = before - {addition.path_in_repo for addition in additions}
    ours = [path for path in sorted(gone) if path.startswith(("corpus/", "queries/", "qrels/"))]
    operations = [*additions, *(CommitOperationDelete(path) for path in ours)]
    commit = api.create_commit(repo, operations, commit_message=f"Upload {name}", repo_type="dataset")
    if progress:
        progress(total, total, "Uploaded")
    return str(commit.oid)
