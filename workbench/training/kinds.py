"""The three kinds of run, each as a recipe: what is loaded, what it learns from, and how it is scored."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.evaluation.held_out import HeldOut, held_out
from workbench.evaluation.reranking import sampled
from workbench.evaluation.scoring import score_embedder
from workbench.models import Embedder, load_embedder
from workbench.models.items import InputForm
from workbench.settings import TrainSettings
from workbench.training.lessons import all_wrong
from workbench.training.material import (
    COPIED,
    SCORED,
    balanced,
    conflict_free,
    copies,
    graded_pairs,
    in_batch_datasets,
    scored_pairs,
    shuffled,
    taught_pairs,
)
from workbench.training.objectives import check_guide, embedder_loss
from workbench.training.pairs import known_wrong, training_pairs, with_negatives
from workbench.training.precision import learns_in_full
from workbench.training.preparing import routes_of_columns
from workbench.training.recipe import NDCG, SPEARMAN, Progress, Scored, objective_of
from workbench.training.second_stage import CrossEncoderRecipe, LateInteractionRecipe
from workbench.training.shape import are_degrees
from workbench.training.similarity import follow
from workbench.training.teacher import Teacher
from workbench.workspace import Workspace

__all__ = ["RECIPES", "CrossEncoderRecipe", "EmbedderRecipe", "LateInteractionRecipe", "Scored"]


class EmbedderRecipe:
    """Pairs of each modality pair, and the objective that suits them.

    Where most queries have known wrong documents (told or mined), each pass shows another one beside each pair.
    folder: the run's, for what must be kept over a resume. passes: how often the data holds each pair. progress: told
    how far the work before the first step is; it may end it by raising Stopped.
    """

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
        self.workspace, self.collection, self.settings = workspace, collection, settings
        trusted, full = bool(spec.get("trust_remote_code")), learns_in_full(settings)
        self.start = load_embedder(workspace, spec["model"], trust_remote_code=trusted, full_precision=full)
        self.model = self.start.model
        self.objective = objective_of(spec, collection, settings, "embedder")
        if self.objective in SCORED:
            self.pairs = scored_pairs(collection, self.objective)
        else:
            self.pairs = training_pairs(collection)
        self.start.check_supports(part for pairs in self.pairs for part in pairs.name.split("->"))
        if self.objective == "graded":
            self.passes = copies(settings)
            self.pairs = graded_pairs(collection, self.pairs, settings.seed, self.passes)
        elif self.objective.startswith("contrastive"):
            self._add_negatives()
        self.dimensions = self._dimensions()
        self.held = held_out(collection)
        # Whether low scores are low, NDCG cannot tell: where that is the lesson, the best checkpoint is told by it.
        degrees = self.objective == "similarity" and are_degrees(collection.judged("eval"))
        self.chosen_by = SPEARMAN if degrees else NDCG

    def _add_negatives(self) -> None:
        """Put wrong documents beside the pairs: the known ones, and those that the model takes for right if asked."""
        settings, count = self.settings, self.settings.mined_negatives
        if count:
            wrong = all_wrong(self.collection, self.start, count=max(8, count), progress=self.progress)
        else:
            wrong = known_wrong(self.collection)
            if len(wrong) < len(np.unique(self.pairs[0].queries)) / 2:
                return
        self.passes = copies(settings)
        self.pairs = [
            with_negatives(self.collection, one, wrong, settings.seed, self.passes, max(1, count)) for one in self.pairs
        ]

    def _dimensions(self) -> list[int]:
        """The sizes that are trained, largest first: the full one alone where Matryoshka is refused."""
        full = self.start.dimension
        if not self.settings.matryoshka:
            return [full]
        wanted = [size for size in self.settings.matryoshka_dimensions if size < full]
        return [full, *wanted] if self.settings.matryoshka_dimensions else self.start.dimensions

    def teacher(self) -> Teacher:
        """The model whose scores are copied."""
        reference = self.settings.teacher_model
        return Teacher(self.workspace, reference, self.folder, progress=self.progress)

    def classes(self) -> tuple[type, type]:
        from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

        return SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    def loss(self) -> Any:
        guide = self.guide if self.objective == "contrastive-guided" else None
        return embedder_loss(self.model, self.settings, self.dimensions, self.objective, guide)

    @cached_property
    def guide(self) -> Any:
        """The guide's own model. Raises WorkbenchError if it cannot take what this one takes."""
        reference = self.settings.guide_model
        # The user let the base model run its own code; this one needs leave of its own.
        guide = load_embedder(self.workspace, reference).model
        check_guide(self.model, guide, reference, [one.name for one in self.pairs])
        return guide

    def datasets(self) -> Any:
        if self.objective in COPIED:
            if self.settings.mined_negatives:
                count = max(8, self.settings.mined_negatives)
                wrong = all_wrong(self.collection, self.start, count=count, progress=self.progress)
            else:
                wrong = known_wrong(self.collection)
            pairs = training_pairs(self.collection)
            self.pairs = taught_pairs(self.collection, pairs, wrong, self.teacher(), self.settings)
        self.pairs = balanced(self.pairs)
        return in_batch_datasets(self.collection, self.pairs, InputForm.of(self.model))

    def sampler(self) -> Callable[..., Any]:
        if self.objective == "graded" or self.objective.startswith("contrastive"):
            return conflict_free(self.pairs, self.settings)
        return shuffled(self.settings)

    def extra_arguments(self) -> dict[str, Any]:
        columns = dict.fromkeys(name for one in self.pairs for name in one.columns())
        mapping = routes_of_columns(self.model, list(columns))
        return {"router_mapping": mapping} if mapping else {}

    def score(self, *, quick: bool, progress: Progress | None = None) -> Scored:
        """NDCG@10 of the held-out queries; `quick` scores a sample of them in the uploaded direction alone.

        Where the judgements are degrees, NDCG cannot tell whether low ones are low: `spearman` can.
        """
        embedder = Embedder(self.model, self.start.reference, "in training")
        held = self.held
        directions = None
        dimensions: list[int] | None = self.dimensions
        if quick:
            held = HeldOut({"all": sampled(held.directions["all"], self.settings.evaluation_queries)})
            directions, dimensions = ["all"], list(dict.fromkeys([self.dimensions[0], self.dimensions[-1]]))
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
        followed = None
        if self.objective in SCORED:
            followed = follow(embedder, self.collection, self.settings.evaluation_queries if quick else None)
        more = {SPEARMAN: followed.spearman} if followed else {}
        each = {
            direction: values["ndcg@10"]
            for (size, _, direction), values in scores.per_query.items()
            if size == self.dimensions[0]
        }
        return Scored(
            float(np.nanmean(per_query)), per_query, scores.rows, more=more, by_direction=each, followed=followed
        )


RECIPES = {"embedder": EmbedderRecipe, "reranker": CrossEncoderRecipe, "late-interaction": LateInteractionRecipe}
