"""Load a model by its reference, whatever it is, or say in words why it cannot be loaded."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from workbench.errors import WorkbenchError
from workbench.models.added import added_model
from workbench.models.embedder import Embedder
from workbench.models.families import family_of, fit_to_family
from workbench.models.number_format import remember_format
from workbench.models.remote import remote_model
from workbench.models.remote_embedder import RemoteEmbedder
from workbench.models.remote_reranker import RemoteReranker
from workbench.models.reranker import Reranker
from workbench.models.source import REMOTE, ModelSource, find, fingerprint_folder
from workbench.models.starter import starter_folder
from workbench.workspace import Workspace

# Weights that are made anew on purpose, or that no vector depends on.
HARMLESS_MISSING = ("pooler", "lm_head", "classifier", "score", "position_ids", "cls.", "logit_scale")
# What a class with a head answers comes from its head, and in some from the pooler below it.
WITH_HEAD, HARMLESS_BELOW_A_HEAD = (
    re.compile(r"For(SequenceClassification|CausalLM)\b"),
    ("position_ids", "logit_scale"),
)
# What the libraries say of a load goes through loggers that all threads share.
ONE_AT_A_TIME = threading.RLock()


def load_embedder(
    workspace: Workspace,
    reference: str,
    *,
    trust_remote_code: bool = False,
    device: str | None = None,
    full_precision: bool = False,
) -> Embedder:
    """The embedder behind `starter`, `run:NAME`, `remote:NAME`, a folder or a Hub id, on the best device at hand.

    full_precision: hold the weights in 32 bits, so that they can learn, whatever format their folder has.
    Raises WorkbenchError if there is none, it is a reranker, or a package, the network or a permission is missing.
    """
    source = find(workspace, reference, trust_remote_code=trust_remote_code)
    if source.kind != "embedder":
        raise WorkbenchError(
            f"“{reference}” is a {source.kind} model, which compares pairs and makes no vectors to search by. "
            "Choose an embedder here, and this one as the reranker."
        )
    if reference.startswith(REMOTE):
        # All of an Embedder but what training takes, which it refuses in words.
        return cast(Embedder, RemoteEmbedder(remote_model(workspace, reference)))
    folder = source.folder or starter_folder()
    from sentence_transformers import SentenceTransformer

    with loading_in_words(reference):
        model = SentenceTransformer(
            str(folder), **_arguments(trust_remote_code or source.trusted, device, full_precision)
        )
    if full_precision:
        remember_format(model)
    family, added = family_of(reference, folder), added_model(workspace, reference)
    changes = fit_to_family(model, family, added.prompts if added else None)
    return Embedder(model, reference, fingerprint_folder(folder, changes), family.tasks)


def load_reranker(
    workspace: Workspace,
    reference: str,
    *,
    trust_remote_code: bool = False,
    device: str | None = None,
    full_precision: bool = False,
) -> Reranker:
    """The cross-encoder or late-interaction model behind a reference; `full_precision` as for `load_embedder`.

    An embedder is refused: it has nothing to add to its own ranking. Raises WorkbenchError as `load_embedder` does.
    """
    source = find(workspace, reference, trust_remote_code=trust_remote_code)
    if source.kind == "embedder":
        raise WorkbenchError(
            f"“{reference}” is an embedder and cannot rerank. Choose starter-reranker, or a run of the kind "
            "reranker or late-interaction."
        )
    if reference.startswith(REMOTE):
        return cast(Reranker, RemoteReranker(remote_model(workspace, reference)))
    if source.folder is None:
        from workbench.models.starter import build_starter_reranker

        return Reranker(build_starter_reranker(device or best_device()), reference, _starter_fingerprint(source))
    from sentence_transformers import CrossEncoder, MultiVectorEncoder

    model_class = CrossEncoder if source.kind == "reranker" else MultiVectorEncoder
    with loading_in_words(reference):
        model = model_class(
            str(source.folder), **_arguments(trust_remote_code or source.trusted, device, full_precision)
        )
    if full_precision:
        remember_format(model)
    return Reranker(model, reference, fingerprint_folder(source.folder))


def best_device() -> str:
    """`cuda`, `mps` or `cpu`, the first that is there."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _arguments(trust_remote_code: bool, device: str | None, full_precision: bool) -> dict[str, Any]:
    import torch

    return {
        "device": device or best_device(),
        "trust_remote_code": trust_remote_code,
        "model_kwargs": {"use_safetensors": True, **({"dtype": torch.float32} if full_precision else {})},
    }


def _starter_fingerprint(source: ModelSource) -> str:
    return f"{source.reference}-{fingerprint_folder(starter_folder())}"


@contextmanager
def loading_in_words(reference: str) -> Iterator[None]:
    """Turn the libraries' loading errors into a sentence with a remedy, and refuse half-initialised models.

    A second thread waits here until the first has loaded its model.
    """
    with ONE_AT_A_TIME, _in_words(reference):
        yield


@contextmanager
def _in_words(reference: str) -> Iterator[None]:
    report = _LoadReport()
    logging.getLogger("sentence_transformers.base.modules.router").addFilter(_is_worth_telling)
    logger = logging.getLogger("transformers.modeling_utils")
    # Where the libraries are told to be quiet the report is still read, though not shown.
    level, propagate = logger.level, logger.propagate
    if not logger.isEnabledFor(logging.WARNING):
        logger.setLevel(logging.WARNING)
        logger.propagate = False
    logger.addHandler(report)
    try:
        yield
    except ImportError as error:
        raise WorkbenchError(
            f"“{reference}” needs a package that is not installed: {str(error).splitlines()[0]} "
            "For vision-language models type: pip install -r requirements-gpu.txt"
        ) from error
    except AttributeError as error:
        if "VIDEO_PROCESSOR_MAPPING" in str(error) or "_extra_content" in str(error):
            raise WorkbenchError(
                f"“{reference}” needs torchvision, which is not installed. Type: pip install -r requirements-gpu.txt"
            ) from error
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise WorkbenchError(
            f"“{reference}” cannot be loaded: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
        ) from error
    finally:
        logger.removeHandler(report)
        logger.setLevel(level)
        logger.propagate = propagate
    missing = report.missing()
    if missing:
        raise WorkbenchError(
            f"“{reference}” lacks weights that matter ({', '.join(missing[:3])}), so it would answer at random. "
            "Choose a checkpoint made for this use."
        )


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """False for the note that a model's towers take inputs of different lengths, which is as it should be."""
    return not record.getMessage().startswith("Different max_seq_lengths detected")


class _LoadReport(logging.Handler):
    """Collects what Transformers says about weights that were not in the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.extend(record.getMessage().splitlines())

    def missing(self) -> list[str]:
        """The weights that were not there and that answers depend on; each report begins with the model's class."""
        found: list[str] = []
        harmless: tuple[str, ...] = HARMLESS_MISSING
        for line in self.lines:
            if "LOAD REPORT" in line:
                harmless = HARMLESS_BELOW_A_HEAD if WITH_HEAD.search(line) else HARMLESS_MISSING
            name = line.split("|")[0].strip()
            if "MISSING" in line and "|" in line and name and not any(part in name for part in harmless):
                found.append(name)
        return found
