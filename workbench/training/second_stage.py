"""The two kinds of run that put a first stage's documents in order: cross-encoders and late-interaction models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.evaluation.held_out import ALL, held_out
from workbench.evaluation.reranking import score_reranking
from workbench.models import Reranker, load_embedder, load_reranker
from workbench.models.items import InputForm
from workbench.models.load import best_device
from workbench.models.reranker import cross_encoder_from, late_interaction_from
from workbench.models.source import find
from workbench.settings import TrainSettings
from workbench.training.lessons import Lessons, all_wrong, graded, lessons
from workbench.training.material import (
    balanced,
    conflict_free,
    copies,
    in_batch_datasets,
    in_order,
    list_dataset,
    margin_dataset,
    shuffled,
    taught_pairs,
)
from workbench.training.objectives import late_interaction_loss, reranker_loss
from workbench.training.pairs import Pairs, known_wrong, pair_dataset, training_pairs, with_negatives
from workbench.training.precision import learns_in_full
from workbench.training.recipe import NDCG, Progress, Scored, objective_of
from workbench.training.shape import shape_of
from workbench.training.teacher import Teacher
from workbench.workspace import Workspace

RERANKED = 20


class RerankingRecipe:
    """What the two kinds of reranker share: a first stage whose first documents they put in order.

    passes: how often the data holds each pair, every time with another wrong document. folder: the run's, for what
    must be kept over a resume. progress: told how far the work before the first step is; it may end it by raising
    Stopped.
    """

    kind = ""
    chosen_by = NDCG
    passes = 1
    folder: Path | None = None
    progress: Progress | None = None

    def __init__(
        self,
        workspace: Workspace,
        collection: Collection,
        spec: dict[str, Any],
        settings: TrainSettings,
        progress: Progress | None = None,
    ) -> None:
        self.progress = progress
        self.workspace, self.collection, self.settings, self.spec = workspace, collection, settings, spec
        self.first_stage = load_embedder(
            workspace,
            spec["first_stage"],
            trust_remote_code=bool(spec.get("trust_remote_code")) and spec["first_stage"] == spec["model"],
        )
        self.first_dimension = spec.get("first_stage_dimension")
        self.objective = objective_of(spec, collection, settings, self.kind)
        self.model = self.load()
        self.held = held_out(collection)
        self.first_order: dict[int, np.ndarray] = {}  # of the first stage, which stays as it is: found once
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
        full = learns_in_full(self.settings)
        if find(self.workspace, reference, trust_remote_code=trust).kind == kind:
            return load_reranker(self.workspace, reference, trust_remote_code=trust, full_precision=full).model
        embedder = load_embedder(self.workspace, reference, trust_remote_code=trust, full_precision=full)
        return made_from_embedder(embedder.model, best_device())

    def teacher(self) -> Teacher:
        """The model whose scores are copied."""
        return Teacher(self.workspace, self.settings.teacher_model, self.folder, progress=self.progress)

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
            first_order=self.first_order,
        )
        return Scored(float(result.reranked.mean()), result.reranked, result.rows, result.first)


class CrossEncoderRecipe(RerankingRecipe):
    """Right and wrong pairs, easy wrong ones before those that the first stage takes for right."""

    kind = "reranker"

    def load(self) -> Any:
        return self.start_from("reranker", cross_encoder_from)

    def classes(self) -> tuple[type, type]:
        from sentence_transformers import CrossEncoderTrainer, CrossEncoderTrainingArguments

        return CrossEncoderTrainer, CrossEncoderTrainingArguments

    def loss(self) -> Any:
        return reranker_loss(self.model, self.settings, self.objective)

    def datasets(self) -> Any:
        form = InputForm.of(self.model)
        if self.objective == "contrastive":
            self.pairs = balanced(self._with_known_wrong())
            return in_batch_datasets(self.collection, self.pairs, form)
        found = lessons(
            self.collection, self.pairs, self.first_stage, self.settings, self.first_dimension, self.progress
        )
        if self.objective == "margin":
            return margin_dataset(self.collection, found, self.teacher(), form)
        if self.objective in ("lambda", "listwise"):
            return list_dataset(self.collection, graded(self.collection, found, self.settings.seed), form)
        if self.objective == "distillation":
            scores = self.teacher().scores(self.collection, found.queries, found.documents[:, None])[:, 0]
            found = Lessons(found.queries, found.documents, scores, found.lists)
        columns = {"query": ("queries", found.queries), "document": ("corpus", found.documents)}
        return pair_dataset(self.collection, columns, form, label=found.labels.tolist())

    def _with_known_wrong(self) -> list[Pairs]:
        """The pairs, with a known wrong document each where most queries have one."""
        if shape_of(self.collection).shows_negatives:
            self.passes = copies(self.settings)
            wrong, seed = known_wrong(self.collection), self.settings.seed
            self.pairs = [with_negatives(self.collection, one, wrong, seed, self.passes) for one in self.pairs]
        return self.pairs

    def sampler(self) -> Callable[..., Any]:
        settings = self.settings
        # A row of lists holds a right document and its wrong ones: as many pairs a step as with any other objective.
        rows = max(2, settings.batch_size // (1 + settings.negatives_per_query))
        if self.objective == "contrastive":
            return conflict_free(self.pairs, settings, rows)
        return in_order(rows if self.objective in ("lambda", "listwise", "margin") else settings.batch_size)

    def extra_arguments(self) -> dict[str, Any]:
        return {"ddp_find_unused_parameters": False}


class LateInteractionRecipe(RerankingRecipe):
    """Pairs contrasted within the batch, token by token, each with a wrong document that the first stage likes."""

    kind = "late-interaction"

    def load(self) -> Any:
        return self.start_from("late-interaction", late_interaction_from)

    def classes(self) -> tuple[type, type]:
        from sentence_transformers import MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments

        return MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments

    def loss(self) -> Any:
        return late_interaction_loss(self.model, self.settings, self.objective)

    def datasets(self) -> Any:
        settings, count = self.settings, self.settings.mined_negatives
        wrong = all_wrong(self.collection, self.first_stage, self.first_dimension, max(8, count), self.progress)
        if self.objective == "distillation":
            self.pairs = taught_pairs(self.collection, self.pairs, wrong, self.teacher(), settings)
        else:
            self.passes = copies(settings)
            self.pairs = [
                with_negatives(self.collection, one, wrong, settings.seed, self.passes, max(1, count))
                for one in self.pairs
            ]
        self.pairs = balanced(self.pairs)
        return in_batch_datasets(self.collection, self.pairs, InputForm.of(self.model))

    def sampler(self) -> Callable[..., Any]:
        return shuffled(self.settings) if self.objective == "distillation" else conflict_free(self.pairs, self.settings)
