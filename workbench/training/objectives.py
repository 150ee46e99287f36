"""The loss of each kind of run, from the library, with the settings in the user's terms."""

from __future__ import annotations

from typing import Any

from workbench.settings import TrainSettings

SMALL_MODEL = 50_000_000
# A MaxSim score sums over the tokens of a query, so it spans several units and needs less sharpening than a cosine;
# of 1 and 3, tried on the demo, 3 learnt faster.
MAX_SIM_SCALE = 3.0


def embedder_loss(model: Any, settings: TrainSettings, dimensions: list[int]) -> Any:
    """In-batch contrastive learning in both directions, at every Matryoshka dimension at once.

    Where the batch does not fit at once the cached variant reads it in mini-batches, with the same result.
    """
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MatryoshkaLoss,
        MultipleNegativesRankingLoss,
    )

    shared: dict[str, Any] = {
        "scale": 1 / settings.temperature,
        "directions": ("query_to_doc", "doc_to_query"),
        "partition_mode": "per_direction",
    }
    mini_batch = mini_batch_size(model, settings)
    inner: Any
    if mini_batch >= settings.batch_size:
        inner = MultipleNegativesRankingLoss(model, **shared)
    else:
        inner = CachedMultipleNegativesRankingLoss(model, mini_batch_size=mini_batch, **shared)
    return MatryoshkaLoss(model, inner, matryoshka_dims=dimensions) if len(dimensions) > 1 else inner


def reranker_loss(model: Any, settings: TrainSettings) -> Any:
    """Binary cross-entropy on pairs that are right (1) or wrong (0).

    Wrong ones are more numerous by `negatives_per_query`, which the weight of the right ones evens out.
    """
    import torch
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

    return BinaryCrossEntropyLoss(model, pos_weight=torch.tensor(float(settings.negatives_per_query)))


def late_interaction_loss(model: Any, settings: TrainSettings) -> Any:
    """In-batch contrastive learning on MaxSim scores."""
    from sentence_transformers.multi_vector_encoder.losses import (
        CachedMultiVectorMultipleNegativesRankingLoss,
        MultiVectorMultipleNegativesRankingLoss,
    )

    mini_batch = mini_batch_size(model, settings)
    if mini_batch >= settings.batch_size:
        return MultiVectorMultipleNegativesRankingLoss(model, scale=MAX_SIM_SCALE)
    return CachedMultiVectorMultipleNegativesRankingLoss(model, scale=MAX_SIM_SCALE, mini_batch_size=mini_batch)


def mini_batch_size(model: Any, settings: TrainSettings) -> int:
    """The pairs held at once: what the settings say; at 0 the whole batch of a small model, 16 pairs of a large one."""
    if settings.mini_batch_size:
        return settings.mini_batch_size
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return settings.batch_size if parameters < SMALL_MODEL else 16
