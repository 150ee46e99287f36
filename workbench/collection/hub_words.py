"""What goes wrong between here and the Hugging Face Hub, in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from workbench.errors import Stopped, WorkbenchError

REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
LOGIN = "type: hf auth login   – or set HF_TOKEN"


def check_repo_id(repo: str) -> str:
    """Return `repo` if it may be the id of a data set on the Hub, else raise WorkbenchError."""
    repo = repo.strip()
    if not REPO_ID.fullmatch(repo) or ".." in repo or "--" in repo or repo.endswith((".", "-", ".git")):
        raise WorkbenchError(
            f"“{repo[:100]}” cannot be the name of a data set on the Hub. Write USER/NAME, with letters, digits, "
            "dots, dashes or underscores, such as maria/bird-photos."
        )
    return repo


@contextmanager
def hub_in_words(repo: str, *, writing: bool = False) -> Iterator[None]:
    """Turn whatever the Hub's clients raise about the data set `repo` into a WorkbenchError."""
    try:
        yield
    except (WorkbenchError, Stopped):
        raise
    except Exception as error:
        words = _words(error, repo, writing)
        if words is None:
            raise
        raise WorkbenchError(words) from error


def _words(error: BaseException, repo: str, writing: bool) -> str | None:
    """The sentence for an error or for what it came from; None where there is none."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    for one in _causes(error):
        status = getattr(getattr(one, "response", None), "status_code", 0)
        if isinstance(one, OfflineModeIsEnabled):
            return "The Hub is switched off by HF_HUB_OFFLINE=1. Unset it, and start again."
        if isinstance(one, GatedRepoError) or "is a gated dataset" in str(one):
            return (
                f"“{repo}” asks its users to agree to terms first. Open https://huggingface.co/datasets/{repo}, agree, "
                f"then {LOGIN}."
            )
        if status == 401 and writing:
            return f"The Hub does not accept the token of this computer. To log in again, {LOGIN}."
        if status == 403:
            doing = "write to" if writing else "read"
            return (
                f"The token of this computer may not {doing} “{repo}”. Choose another name, or log in again: {LOGIN}."
            )
        if isinstance(one, RepositoryNotFoundError) or type(one).__name__ == "DatasetNotFoundError":
            return f"The Hub has no data set “{repo}”, or it is private. Check the spelling; for a private one {LOGIN}."
        if isinstance(one, HfHubHTTPError) and status:
            told = (getattr(one, "server_message", None) or str(one).strip().splitlines()[0])[:200].rstrip(".")
            return f"The Hub refused “{repo}” ({status}): {told}. Try again later, or choose another name."
        if _is_no_network(one):
            return "The Hub cannot be reached. Check the network, then start again."
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_no_network(error: BaseException) -> bool:
    """Whether nobody answered. The clients' own errors are told by name: which library they are of has changed."""
    names = {cls.__name__ for cls in type(error).__mro__}
    return isinstance(error, (ConnectionError, TimeoutError)) or bool(
        names & {"TransportError", "ClientConnectorError"}
    )
