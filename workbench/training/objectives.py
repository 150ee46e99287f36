"""The loss of each kind of run and objective, from the library, with the settings in the user's terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.errors import WorkbenchError
from workbench.settings import TrainSettings

SMALL_MODEL = 50_000_000
# A MaxSim score sums over the tokens of a query, so it spans several units and needs less sharpening than a cosine;
# of 1 and 3, tried on the demo, 3 learnt faster.
MAX_SIM_SCALE = 3.0
# The library's GIST loss compares vectors by broadcasting: (mini-batch, batch, dimension) numbers at once.
LARGEST_GUIDED_MINI_BATCH = 64


def embedder_loss(
    model: Any, settings: TrainSettings, dimensions: list[int], name: str = "contrastive", guide: Any = None
) -> Any:
    """The loss of an embedder's objective, at every Matryoshka dimension at once if there are several.

    guide: the model that takes false negatives out, for `contrastive-guided`; its vectors are never cut.
    Raises WorkbenchError for weights that do not fit the dimensions.
    """
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss

    if settings.matryoshka_weights and len(settings.matryoshka_weights) != len(dimensions):
        raise WorkbenchError(
            f"There are {len(settings.matryoshka_weights)} Matryoshka weights and {len(dimensions)} dimensions "
            f"({', '.join(map(str, dimensions))}). Give one for each, or none."
        )
    inner = EMBEDDER_LOSSES[name](model, settings) if name != "contrastive-guided" else _guided(model, settings, guide)
    if len(dimensions) == 1:
        return inner
    weights = settings.matryoshka_weights or None
    return MatryoshkaLoss(model, inner, matryoshka_dims=dimensions, matryoshka_weights=weights)


def _contrastive(model: Any, settings: TrainSettings) -> Any:
    """In-batch contrastive learning in both directions.

    Where the batch does not fit at once the cached variant reads it in mini-batches, with the same result.
    """
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )

    shared: dict[str, Any] = {
        "scale": 1 / settings.temperature,
        "directions": ("query_to_doc", "doc_to_query"),
        "partition_mode": "per_direction",
    }
    if settings.hardness:
        shared |= {"hardness_mode": "all_negatives", "hardness_strength": settings.hardness}
    mini_batch = mini_batch_size(model, settings)
    if mini_batch >= settings.batch_size:
        return MultipleNegativesRankingLoss(model, **shared)
    return CachedMultipleNegativesRankingLoss(model, mini_batch_size=mini_batch, **shared)


def _guided(model: Any, settings: TrainSettings, guide: Any) -> Any:
    """Contrastive learning in which the guide takes out what it finds closer to a query than the right document.

    Always the cached variant: the other one asks the guide again for each Matryoshka dimension.
    """
    from sentence_transformers.sentence_transformer.losses import CachedGISTEmbedLoss

    size = min(mini_batch_size(model, settings), settings.batch_size, LARGEST_GUIDED_MINI_BATCH)
    guide.eval().requires_grad_(False)
    return CachedGISTEmbedLoss(model, guide, temperature=settings.temperature, mini_batch_size=size)


def _similarity(model: Any, settings: TrainSettings) -> Any:
    """CoSENT: of any two pairs in a batch, the one with the higher score gets the higher cosine."""
    from sentence_transformers.sentence_transformer.losses import CoSENTLoss

    return CoSENTLoss(model, scale=1 / settings.temperature)


def _binary(model: Any, settings: TrainSettings) -> Any:
    from sentence_transformers.sentence_transformer.losses import OnlineContrastiveLoss

    return OnlineContrastiveLoss(model)


def _margin(model: Any, settings: TrainSettings) -> Any:
    """By cosines, because a model need not normalise its vectors and the teacher's scores lie within -1 and 1."""
    from sentence_transformers.sentence_transformer.losses import MarginMSELoss
    from sentence_transformers.util import pairwise_cos_sim

    return MarginMSELoss(model, similarity_fct=pairwise_cos_sim)


def _distillation(model: Any, settings: TrainSettings) -> Any:
    """The teacher's and the model's preferences among the documents of a pair brought together (KL divergence)."""
    from sentence_transformers.sentence_transformer.losses import DistillKLDivLoss

    return DistillKLDivLoss(
        model, similarity_fct=Sharpened(settings.temperature), teacher_temperature=settings.temperature
    )


class Sharpened:
    """Cosines over the temperature. The loss's own setting for that would shrink the gradients by its square."""

    def __init__(self, temperature: float) -> None:
        from sentence_transformers.util import pairwise_cos_sim

        self.temperature, self.cosine = temperature, pairwise_cos_sim

    def __call__(self, queries: Any, documents: Any) -> Any:
        return self.cosine(queries, documents) / self.temperature


EMBEDDER_LOSSES: dict[str, Callable[[Any, TrainSettings], Any]] = {
    "contrastive": _contrastive,
    "similarity": _similarity,
    "binary": _binary,
    "graded": _contrastive,
    "margin": _margin,
    "distillation": _distillation,
}


def reranker_loss(model: Any, settings: TrainSettings, name: str = "bce") -> Any:
    """The loss of a reranker's objective.

    bce: binary cross-entropy on pairs that are right (1) or wrong (0). Wrong ones are more numerous by
    `negatives_per_query`, which the weight of the right ones evens out.
    """
    import torch
    from sentence_transformers.cross_encoder import losses

    held = mini_batch_size(model, settings)
    if name == "bce":
        return losses.BinaryCrossEntropyLoss(model, pos_weight=torch.tensor(float(settings.negatives_per_query)))
    if name == "lambda":
        return losses.LambdaLoss(model, mini_batch_size=held)
    if name == "listwise":
        return losses.ListNetLoss(model, mini_batch_size=held)
    if name == "contrastive":
        return losses.CachedMultipleNegativesRankingLoss(
            model, num_negatives=settings.negatives_per_query, mini_batch_size=held
        )
    return losses.MarginMSELoss(model) if name == "margin" else losses.MSELoss(model)


def late_interaction_loss(model: Any, settings: TrainSettings, name: str = "contrastive") -> Any:
    """In-batch contrastive learning on MaxSim scores, or the teacher's preferences copied by them."""
    from sentence_transformers.multi_vector_encoder.losses import (
        CachedMultiVectorMultipleNegativesRankingLoss,
        MultiVectorDistillKLDivLoss,
        MultiVectorMultipleNegativesRankingLoss,
    )

    mini_batch = mini_batch_size(model, settings)
    if name == "distillation":
        return MultiVectorDistillKLDivLoss(
            model,
            student_temperature=1 / MAX_SIM_SCALE,
            teacher_temperature=settings.temperature,
            mini_batch_size=mini_batch,
        )
    if mini_batch >= settings.batch_size:
        return MultiVectorMultipleNegativesRankingLoss(model, scale=MAX_SIM_SCALE)
    return CachedMultiVectorMultipleNegativesRankingLoss(model, scale=MAX_SIM_SCALE, mini_batch_size=mini_batch)


def check_guide(model: Any, guide: Any, reference: str, modality_pairs: list[str]) -> None:
    """Raise WorkbenchError if the guide cannot read what the model reads.

    The library hands the guide the model's own inputs, or text made from them: pictures and sound pass only between
    models that prepare them alike.
    """
    if all(set(name.split("->")) == {"text"} for name in modality_pairs) or _prepares_alike(model, guide):
        return
    raise WorkbenchError(
        f"The guide “{reference}” prepares pictures or sound in another way than the model that is trained. Choose a "
        "guide of the same family, or leave the guide out."
    )


def _prepares_alike(model: Any, guide: Any) -> bool:
    """Whether two models turn the same item into the same input."""
    if (guide.max_seq_length or 0) < (model.max_seq_length or 0):
        return False
    return _preparation(model) == _preparation(guide)


def _preparation(model: Any) -> list[Any]:
    found = []
    for module in model.modules():
        processor = getattr(module, "processor", None)
        if processor is not None:
            parts = [getattr(processor, name, None) for name in ("image_processor", "feature_extractor")]
            tokenizer = getattr(processor, "tokenizer", processor)
            vocabulary = tokenizer.get_vocab() if hasattr(tokenizer, "get_vocab") else None
            found.append((type(processor).__name__, vocabulary, [part and part.to_dict() for part in parts]))
    return found


def mini_batch_size(model: Any, settings: TrainSettings) -> int:
    """The pairs held at once: what the settings say; at 0 the whole batch of a small model, 16 pairs of a large one."""
    if settings.mini_batch_size:
        return settings.mini_batch_size
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return settings.batch_size if parameters < SMALL_MODEL else 16
