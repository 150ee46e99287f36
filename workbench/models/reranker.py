"""A reranker: a query and some documents in, one score for each document out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.memory import within_memory
from workbench.models.embedder import in_words, readable_modalities
from workbench.models.items import InputForm, modalities_of, model_input, video_frames

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, MultiVectorEncoder, SentenceTransformer

BATCH = 32
KEPT_TOKEN_BYTES = 256 * 1024 * 1024


class Reranker:
    """A cross-encoder (reads both together) or a late-interaction model (compares them token by token, MaxSim)."""

    def __init__(self, model: CrossEncoder | MultiVectorEncoder, reference: str, fingerprint: str) -> None:
        self.model: Any = model
        self.reference = reference
        self.fingerprint = fingerprint
        self.form = InputForm.of(model)
        self._tokens: OrderedDict[str, np.ndarray] = OrderedDict()
        self._token_bytes = 0
        self._batch = BATCH

    @property
    def kind(self) -> str:
        return "late-interaction" if type(self.model).__name__ == "MultiVectorEncoder" else "reranker"

    @property
    def dimension(self) -> int | None:
        """The components of a token's vector; None for a cross-encoder, which makes no vectors."""
        return self.model.get_embedding_dimension() if self.kind == "late-interaction" else None

    @property
    def modalities(self) -> tuple[str, ...]:
        return readable_modalities(self.model.modalities)

    def check_supports(self, modalities: Iterable[str]) -> None:
        """Raise WorkbenchError if the model cannot read one of these modalities."""
        unknown = [modality for modality in dict.fromkeys(modalities) if modality not in self.modalities]
        if unknown:
            raise WorkbenchError(
                f"The reranker “{self.reference}” cannot read {in_words(unknown)}; "
                f"it reads {in_words(self.modalities)}. Search without it, or choose another."
            )

    def score(self, query: Item, documents: Sequence[Item]) -> np.ndarray:
        """How well each document answers the query: (len(documents),) float32, higher is better.

        Scores of different rerankers are not on one scale. Raises WorkbenchError for a modality it cannot read.
        """
        if not len(documents):
            return np.zeros(0, np.float32)
        self.check_supports([query.modality, *modalities_of(documents)])
        if self.kind == "late-interaction":
            return self._max_sim(query, documents)
        asked = self._input(query)
        pairs = [[asked, self._input(document)] for document in documents]
        scores = np.empty(len(pairs), np.float32)
        # A batch holds one modality.
        for rows in _by_modality(documents):
            chosen = [pairs[row] for row in rows]
            found = self._within_memory(partial(self.model.predict, chosen, show_progress_bar=False))
            scores[rows] = np.asarray(found, np.float32).reshape(-1)
        return scores

    def _max_sim(self, query: Item, documents: Sequence[Item]) -> np.ndarray:
        """MaxSim: each token of the query looks for its best token in the document; the sum of those similarities.

        Source: Khattab & Zaharia 2020, ColBERT.
        """
        asked = self.model.encode_query([self._input(query)], show_progress_bar=False, convert_to_numpy=True)[0]
        found = [self._tokens.get(document.id) if document.id else None for document in documents]
        missing = [row for row, tokens in enumerate(found) if tokens is None]
        for rows in _by_modality([documents[row] for row in missing]):
            chosen = [missing[row] for row in rows]
            inputs = [self._input(documents[row]) for row in chosen]
            encoded = self._within_memory(
                partial(self.model.encode_document, inputs, show_progress_bar=False, convert_to_numpy=True)
            )
            for row, tokens in zip(chosen, encoded, strict=True):
                found[row] = tokens
                self._keep(documents[row].id, tokens)
        return np.array([(asked @ tokens.T).max(axis=1).sum() for tokens in found if tokens is not None], np.float32)

    def _within_memory(self, read: Callable[..., Any]) -> Any:
        """What a batch gives. What memory does not hold at once is halved, and the half is kept to from then on."""
        found, self._batch = within_memory(lambda size: read(batch_size=size), self._batch)
        return found

    def _keep(self, identifier: str, tokens: np.ndarray) -> None:
        """Remember the tokens of a document by its content id, so that one that is met again is not read again."""
        if not identifier:
            return
        replaced = self._tokens.pop(identifier, None)
        self._tokens[identifier] = tokens
        self._token_bytes += tokens.nbytes - (replaced.nbytes if replaced is not None else 0)
        while self._token_bytes > KEPT_TOKEN_BYTES:
            _, oldest = self._tokens.popitem(last=False)
            self._token_bytes -= oldest.nbytes

    def _input(self, item: Item) -> Any:
        if item.modality == "video" and "video" not in self.model.modalities:
            # A reranker that knows pictures sees a video's middle frame.
            frames = video_frames(item, self.form)
            return frames[len(frames) // 2]
        return model_input(item, self.form)


def _by_modality(documents: Sequence[Item]) -> list[np.ndarray]:
    modalities = modalities_of(documents)
    return [np.flatnonzero(modalities == modality) for modality in dict.fromkeys(modalities)]


def cross_encoder_from(embedder: SentenceTransformer, device: str, seed: int = 0) -> CrossEncoder:
    """A cross-encoder that starts from an embedder's trunk: its last token through a fresh linear head.

    The head is random, so the model ranks nothing before it is trained; the trunk already knows which text goes with
    which picture, without which a small cross-encoder does not learn.
    """
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.sentence_transformer.modules import Pooling

    trunk = trunk_of(embedder)
    width = trunk.get_embedding_dimension()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Dense(
            width,
            1,
            activation_function=torch.nn.Identity(),
            module_input_name="sentence_embedding",
            module_output_name="scores",
        )
    model: Any = CrossEncoder(modules=[trunk, Pooling(width, pooling_mode="lasttoken"), head], device=device)
    model.trunk_place = place_of(trunk, embedder)
    return model


def late_interaction_from(embedder: SentenceTransformer, device: str) -> MultiVectorEncoder:
    """A late-interaction model that starts from an embedder: its trunk, and its projection applied to every token."""
    import torch
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Normalize
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    trunk = trunk_of(embedder)
    width = trunk.get_embedding_dimension()
    projection = Dense(
        width,
        128,
        bias=False,
        activation_function=torch.nn.Identity(),
        module_input_name="token_embeddings",
        module_output_name="token_embeddings",
    )
    learned = next(
        (m for m in _route_of(embedder) if isinstance(m, Dense) and m.linear.weight.shape == (128, width)), None
    )
    if learned is not None:
        projection.load_state_dict(learned.state_dict(), strict=False)
    model: Any = MultiVectorEncoder(
        modules=[trunk, projection, MultiVectorMask(), Normalize(module_input_name="token_embeddings")], device=device
    )
    model.trunk_place = place_of(trunk, embedder)
    return model


def trunk_of(embedder: SentenceTransformer) -> Any:
    """The Transformer module that reads text (and pictures, where the model has one trunk for both)."""
    from sentence_transformers.base.modules import Transformer

    for module in _route_of(embedder):
        if isinstance(module, Transformer):
            return module
    raise WorkbenchError("This model has no transformer to start a reranker from. Choose another model.")


def place_of(trunk: Any, embedder: SentenceTransformer) -> str:
    """The dotted name of the trunk within its embedder, kept with a model made from it so that it can be made again."""
    return next(name for name, module in embedder.named_modules() if module is trunk)


def _route_of(embedder: SentenceTransformer) -> list[Any]:
    """The modules that text passes through, with a Router's text route laid open."""
    modules: list[Any] = []
    for module in embedder:
        routes = getattr(module, "sub_modules", None)
        if routes is None:
            modules.append(module)
            continue
        mapping = getattr(module, "route_mappings", {}) or {}
        name = mapping.get((None, "text")) or module.default_route or next(iter(routes))
        modules.extend(routes[name])
    return modules
