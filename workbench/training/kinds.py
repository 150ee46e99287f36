"""The three kinds of run, each as a recipe: what is loaded, what it learns from, and how it is scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.evaluation.held_out import ALL, HeldOut, held_out
from workbench.evaluation.reranking import sampled, score_reranking
from workbench.evaluation.scoring import score_embedder
from workbench.models import Embedder, Reranker, load_embedder, load_reranker
from workbench.models.items import InputForm
from workbench.models.load import best_device
from workbench.models.reranker import cross_encoder_from, late_interaction_from
from workbench.models.source import find
from workbench.settings import TrainSettings
from workbench.training.batches import ConflictFreeBatches, InOrder
from workbench.training.lessons import hard_wrong, lessons
from workbench.training.objectives import embedder_loss, late_interaction_loss, reranker_loss
from workbench.training.pairs import Pairs, known_wrong, pair_dataset, training_pairs, with_negatives
from workbench.workspace import Workspace

Progress = Callable[[int, int, str], None]
RERANKED = 20
MINED_COPIES = 4


@dataclass
class Scored:
    """One scoring: the mean NDCG@10, its value for each query, and the flat rows for the page."""

    ndcg: float
    per_query: np.ndarray
    rows: list[dict[str, Any]] = field(default_factory=list)
    first_stage: np.ndarray | None = None
    by_direction: dict[str, np.ndarray] = field(default_factory=dict)


class EmbedderRecipe:
    """Pairs of each modality pair, contrasted within the batch in both directions.

    Where most queries have known wrong documents (told or mined), each pass shows another one beside each pair.
    """

    passes = 1

    def __init__(
        self, workspace: Workspace, collection: Collection, spec: dict[str, Any], settings: TrainSettings
    ) -> None:
        self.collection, self.settings = collection, settings
        self.start = load_embedder(workspace, spec["model"], trust_remote_code=bool(spec.get("trust_remote_code")))
        self.model = self.start.model
        self.pairs = training_pairs(collection)
        self.start.check_supports(part for pairs in self.pairs for part in pairs.name.split("->"))
        wrong = known_wrong(collection)
        if len(wrong) >= len(np.unique(self.pairs[0].queries)) / 2:
            self.passes = max(1, min(MINED_COPIES, round(settings.epochs)))
            self.pairs = [with_negatives(collection, one, wrong, settings.seed, self.passes) for one in self.pairs]
        full = self.start.dimension
        wanted = [size for size in settings.matryoshka_dimensions if size < full]
        self.dimensions = [full, *wanted] if settings.matryoshka_dimensions else self.start.dimensions
        self.held = held_out(collection)

    def classes(self) -> tuple[type, type]:
        from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

        return SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    def loss(self) -> Any:
        return embedder_loss(self.model, self.settings, self.dimensions)

    def datasets(self) -> Any:
        return in_batch_datasets(self.collection, self.pairs, InputForm.of(self.model))

    def sampler(self) -> Callable[..., Any]:
        return conflict_free(self.pairs, self.settings)

    def extra_arguments(self) -> dict[str, Any]:
        from sentence_transformers.base.modules import Router

        # The trainer insists on a mapping for a Router; this one forces no route, so modality decides.
        routed = any(isinstance(module, Router) for module in self.model)
        return {"router_mapping": {"none": "ROUTE"}} if routed else {}

    def score(self, *, quick: bool, progress: Progress | None = None) -> Scored:
        """NDCG@10 of the held-out queries; `quick` scores a sample of them in the uploaded direction alone."""
        embedder = Embedder(self.model, self.start.reference, "in training")
        held = self.held
        directions = None
        dimensions: list[int] | None = self.dimensions
        if quick:
            held = HeldOut({"all": sampled(held.directions["all"], self.settings.evaluation_queries)})
            directions, dimensions = ["all"], [self.dimensions[0], self.dimensions[-1]]
        scores = score_embedder(
            embedder,
            self.collection,
            dimensions,
            held=held,
            directions=directions,
            progress=progress,
            intervals=not quick,
        )
        per_query = scores.per_query[self.dimensions[0], "float32", "all"]["ndcg@10"]
        each = {
            direction: values["ndcg@10"]
            for (size, _, direction), values in scores.per_query.items()
            if size == self.dimensions[0]
        }
        return Scored(float(np.nanmean(per_query)), per_query, scores.rows, by_direction=each)


class RerankingRecipe:
    """What the two kinds of reranker share: a first stage whose first documents they put in order.

    passes: how often the data holds each pair, every time with another wrong document.
    """

    passes = 1

    def __init__(
        self, workspace: Workspace, collection: Collection, spec: dict[str, Any], settings: TrainSettings
    ) -> None:
        self.workspace, self.collection, self.settings, self.spec = workspace, collection, settings, spec
        self.first_stage = load_embedder(workspace, spec["first_stage"])
        self.first_dimension = spec.get("first_stage_dimension")
        self.model = self.load()
        self.held = held_out(collection)
        self.pairs = self._readable_pairs(training_pairs(collection))
        whole = len(self.pairs) == len(training_pairs(collection))
        self.direction = ALL if whole else self.pairs[0].name

    def _readable_pairs(self, pairs: list[Pairs]) -> list[Pairs]:
        """The pairs whose both sides the model reads: it puts those documents in order and leaves others in place."""
        reranker = Reranker(self.model, self.spec["model"], "in training")
        readable = [one for one in pairs if set(one.name.split("->")) <= set(reranker.modalities)]
        if not readable:
            reranker.check_supports(part for one in pairs for part in one.name.split("->"))
        return readable

    def load(self) -> Any:
        raise NotImplementedError

    def start_from(self, kind: str, made_from_embedder: Callable[[Any, str], Any]) -> Any:
        """The run's base model if it is of this kind already, else one made from the embedder that it is."""
        reference, trust = self.spec["model"], bool(self.spec.get("trust_remote_code"))
        if find(self.workspace, reference, trust_remote_code=trust).kind == kind:
            return load_reranker(self.workspace, reference, trust_remote_code=trust).model
        embedder = load_embedder(self.workspace, reference, trust_remote_code=trust)
        return made_from_embedder(embedder.model, best_device())

    def extra_arguments(self) -> dict[str, Any]:
        return {}

    def score(self, *, quick: bool, progress: Progress | None = None) -> Scored:
        """NDCG@10 of the first stage's first documents put in order; `quick` takes a sample of the queries."""
        reranker = Reranker(self.model, self.spec["model"], "in training")
        limit = min(100, self.settings.evaluation_queries) if quick else self.settings.evaluation_queries
        result = score_reranking(
            self.first_stage,
            reranker,
            self.collection,
            self.first_dimension,
            RERANKED,
            limit,
            self.direction,
            held=self.held,
            progress=progress,
        )
        return Scored(float(result.reranked.mean()), result.reranked, result.rows, result.first)


class CrossEncoderRecipe(RerankingRecipe):
    """Right and wrong pairs, easy wrong ones before those that the first stage takes for right."""

    def load(self) -> Any:
        return self.start_from("reranker", cross_encoder_from)

    def classes(self) -> tuple[type, type]:
        from sentence_transformers import CrossEncoderTrainer, CrossEncoderTrainingArguments

        return CrossEncoderTrainer, CrossEncoderTrainingArguments

    def loss(self) -> Any:
        return reranker_loss(self.model, self.settings)

    def datasets(self) -> Any:
        found = lessons(self.collection, self.pairs, self.first_stage, self.settings, self.first_dimension)
        columns = {"query": ("queries", found.queries), "document": ("corpus", found.documents)}
        return pair_dataset(self.collection, columns, InputForm.of(self.model), label=found.labels.tolist())

    def sampler(self) -> Callable[..., Any]:
        return in_order

    def extra_arguments(self) -> dict[str, Any]:
        return {"ddp_find_unused_parameters": False}


class LateInteractionRecipe(RerankingRecipe):
    """Pairs contrasted within the batch, token by token, each with a wrong document that the first stage likes."""

    def load(self) -> Any:
        return self.start_from("late-interaction", late_interaction_from)

    def classes(self) -> tuple[type, type]:
        from sentence_transformers import MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments

        return MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments

    def loss(self) -> Any:
        return late_interaction_loss(self.model, self.settings)

    def datasets(self) -> Any:
        wrong = hard_wrong(self.collection, self.first_stage, self.first_dimension)
        for query, told in known_wrong(self.collection, mined=False).items():
            wrong[query] = np.concatenate([told, wrong.get(query, told[:0])])
        self.passes = max(1, min(MINED_COPIES, round(self.settings.epochs)))
        self.pairs = [
            with_negatives(self.collection, one, wrong, self.settings.seed, self.passes) for one in self.pairs
        ]
        return in_batch_datasets(self.collection, self.pairs, InputForm.of(self.model))

    def sampler(self) -> Callable[..., Any]:
        return conflict_free(self.pairs, self.settings)


RECIPES = {"embedder": EmbedderRecipe, "reranker": CrossEncoderRecipe, "late-interaction": LateInteractionRecipe}


def in_batch_datasets(collection: Collection, pairs: list[Pairs], form: InputForm) -> Any:
    """One dataset a modality pair: a batch holds one modality on each side."""
    return {
        one.name: pair_dataset(
            collection,
            {"query": ("queries", one.queries), "document": ("corpus", one.documents)}
            | ({} if one.negatives is None else {"negative": ("corpus", one.negatives)}),
            form,
        )
        for one in pairs
    }


def conflict_free(pairs: list[Pairs], settings: TrainSettings) -> Callable[..., Any]:
    """The function by which the trainer asks for the batches of one of its datasets, in the order of `pairs`."""
    waiting = iter(pairs)

    def sampler(dataset: Any, **_: Any) -> ConflictFreeBatches:
        return ConflictFreeBatches(next(waiting), settings.batch_size, settings.seed)

    return sampler


def in_order(dataset: Any, batch_size: int, **_: Any) -> InOrder:
    """The function by which the trainer asks for lessons in the order they were made."""
    return InOrder(len(dataset), batch_size)
