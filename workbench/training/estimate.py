"""What a run will need in memory, told from configuration files alone, as a range: at once, and without the model.

    weights + trained weights · (gradient + optimizer) + activations + the GPU's context, and a tenth for what is wasted
    activations = k · tokens · layers · hidden bytes for each pair held, k as in ACTIVATIONS; with checkpointing the
    smaller k, and one layer with the larger

Source of the figures: measured on BERT and Qwen3-like models under bf16 autocast. They err by about a third, and by
more where a model's shape must be guessed from its number of parameters; a dry run is the credible figure.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.collection.store import Collection, open_collection
from workbench.models.catalogue import describe
from workbench.settings import TrainSettings, check_settings
from workbench.settings.taken import DISTILLED
from workbench.training.measurements import local_folder
from workbench.training.out_of_memory import piece_of, reads
from workbench.training.presets import SMALL_MODEL_PARAMETERS
from workbench.workspace import Workspace

Range = tuple[float, float]
ACTIVATIONS: Range = (45.0, 90.0)  # measured in 32 bits with SDPA: 47 and 60 (benchmarks/estimated_memory.py)
CHECKPOINTED: Range = (5.0, 8.0)
CONTEXT_BYTES: Range = (0.5e9, 1.0e9)
WASTE = 1.1
# Bytes a trained weight beside the weight itself: its gradient and what the optimizer keeps of it.
OPTIMIZER_BYTES = {"adamw": 12, "adafactor": 5, "adamw-8bit": 6}
# A trunk's width over its depth, by which its shape is guessed from its size alone.
WIDTH_OVER_DEPTH: Range = (30.0, 130.0)
CHARACTERS_PER_TOKEN: Range = (2.5, 5.0)
TEXT_TOKENS_AT_MOST = 512
# Tokens of an item whose model does not say: small pictures to pages, short sounds to half a minute.
UNKNOWN_TOKENS: dict[str, Range] = {"image": (64, 1300), "audio": (100, 1500), "video": (256, 5200)}
# Of models that merge patches of 14 pixels by four, as most vision-language ones do.
PIXELS_PER_TOKEN = 28 * 28
CHOSEN_MINI_BATCH, WHOLE_BATCH_PARAMETERS = 16, 50_000_000


def estimate(workspace: Workspace, spec: dict[str, Any]) -> dict[str, Any]:
    """The object of `fit`, unmeasured: "peak_range" [low, high] in bytes and its middle as "peak_bytes".

    Seconds are not known, and neither is memory where nobody says how many parameters the model has; "words" tells.
    """
    settings = check_settings(spec["settings"])
    parameters = int(describe(workspace, spec["model"])["parameters"] or 0)
    held = pairs_held(spec, settings, parameters)
    answer: dict[str, Any] = {
        "peak_bytes": None,
        "seconds_per_step": None,
        "mini_batch_size": held,
        "run_seconds": None,
        "measured": False,
        "peak_range": None,
    }
    if not parameters:
        words = (
            "How large this model is is not known before it is fetched, so neither is its memory. Measure fetches it "
            "and tells."
        )
        return answer | {"words": words}
    collection = open_collection(workspace, spec["collection"], spec["collection_fingerprint"])
    shapes = trunks(local_folder(workspace, spec["model"]))
    low, high = peak_range(collection, spec, settings, parameters, shapes, held)
    if spec.get("objective") == "contrastive-guided":  # the guide only reads: nothing but its weights is kept
        guide = int(describe(workspace, settings.guide_model)["parameters"] or 0)
        low, high = low + 2 * guide, high + 4 * guide
    words = (
        f"About {_size(low)} to {_size(high)} of memory with a mini-batch of {held}, estimated. "
        "How long it takes is known once it is measured."
    )
    return answer | {"peak_bytes": int((low * high) ** 0.5), "peak_range": [int(low), int(high)], "words": words}


def peak_range(
    collection: Collection,
    spec: dict[str, Any],
    settings: TrainSettings,
    parameters: int,
    shapes: list[dict[str, int]],
    held: int,
) -> Range:
    """The least and the most bytes that a run may take at its peak, with so many pairs held at once."""
    on_gpu = has_gpu()
    work = _layers_times_hidden(parameters, shapes)
    fixed = fixed_bytes(settings, parameters, work)
    # A loss that reads mini-batches holds one column at a time; else query and documents are held together.
    one = held < settings.batch_size and reads(spec["kind"], spec.get("objective")) == "mini-batches"
    share = 0.5 if one else 1.0
    tokens = tokens_of_a_pair(collection, settings, shapes, 1 if one else documents_shown(spec, settings))
    # Checkpointing keeps what each layer begins with, and makes the rest of one layer at a time anew.
    kept, whole = (CHECKPOINTED, _width(parameters, shapes)) if settings.gradient_checkpointing else (ACTIVATIONS, None)
    wide = 1.0 if settings.precision in ("bf16", "fp16") or (settings.precision == "auto" and on_gpu) else 2.0
    found = []
    for end in (0, 1):
        layers = kept[end] * work[end] + (ACTIVATIONS[end] * whole[end] if whole else 0.0)
        activations = layers * wide * tokens[end] * held * share
        found.append((fixed[end] + activations + (CONTEXT_BYTES[end] if on_gpu else 0.0)) * (1.0, WASTE)[end])
    return found[0], found[1]


def pairs_held(spec: dict[str, Any], settings: TrainSettings, parameters: int) -> int:
    """The pairs that the run will hold at once: as the settings say, or as a run chooses without a measurement."""
    way, batch = reads(spec["kind"], spec.get("objective")), settings.batch_size
    if way == "whole":
        return batch
    if settings.mini_batch_size:
        return piece_of(batch, settings.mini_batch_size) if way == "pieces" else min(batch, settings.mini_batch_size)
    small = 0 < parameters < max(SMALL_MODEL_PARAMETERS, WHOLE_BATCH_PARAMETERS)
    return batch if small or way == "pieces" else min(batch, CHOSEN_MINI_BATCH)


def fixed_bytes(settings: TrainSettings, parameters: int, work: Range) -> Range:
    """What weights, gradients and the optimizer take, whatever is held of the data."""
    kept = OPTIMIZER_BYTES[settings.optimizer]
    if settings.lora_rank:
        base = 0.6 if settings.base_in_4_bit else 4.0
        # Two thin matrices on each of about seven linear layers of a block.
        adapters = [14 * settings.lora_rank * each * (4 + kept) for each in work]
        return parameters * min(base, 2.0) + adapters[0], parameters * base + adapters[1]
    trained = (0.3, 0.9) if settings.frozen_parts else (1.0, 1.0)
    return parameters * (4 + trained[0] * kept), parameters * (4 + trained[1] * kept)


def _layers_times_hidden(parameters: int, shapes: list[dict[str, int]]) -> Range:
    """Layers times width of all trunks that one item passes; guessed from the size where no configuration is here."""
    if shapes:
        each = [shape["layers"] * shape["hidden"] for shape in shapes]
        return float(max(each)), float(sum(each))
    low, high = WIDTH_OVER_DEPTH
    guess = (parameters / 12) ** (2 / 3)
    return 0.7 * guess * high ** (-1 / 3), guess * low ** (-1 / 3)


def _width(parameters: int, shapes: list[dict[str, int]]) -> Range:
    """The width of the widest trunk; guessed from the size where no configuration is here."""
    if shapes:
        widest = float(max(shape["hidden"] for shape in shapes))
        return widest, widest
    low, high = ((parameters / 12 * ratio) ** (1 / 3) for ratio in WIDTH_OVER_DEPTH)
    return low, high


def documents_shown(spec: dict[str, Any], settings: TrainSettings) -> int:
    """The documents that stand in a row with each query, the right one and wrong ones; a reranker's rows are pairs."""
    objective, mined = spec.get("objective") or "contrastive", settings.mined_negatives
    if spec["kind"] == "reranker" or objective in ("similarity", "binary"):
        return 1
    if objective in ("margin", "distillation"):
        return 1 + (mined or DISTILLED)
    return 1 + max(mined, int(spec["kind"] == "late-interaction" or objective == "graded"))


def tokens_of_a_pair(
    collection: Collection, settings: TrainSettings, shapes: list[dict[str, int]], documents: int = 1
) -> Range:
    """The tokens of the longest query and of so many of the longest document together."""
    low, high = 0.0, 0.0
    for side, name, count in (("queries", "query", 1), ("corpus", "document", documents)):
        found = [
            _tokens(collection, side, kind, settings, shapes) for kind in collection.card.modalities.get(name, ["text"])
        ]
        low += count * max(one[0] for one in found)
        high += count * max(one[1] for one in found)
    return low, high


def _tokens(
    collection: Collection, side: str, modality: str, settings: TrainSettings, shapes: list[dict[str, int]]
) -> Range:
    total = [0.0, 0.0]
    for kind in modality.split("+"):
        text = kind == "text"
        found = _text_tokens(collection, side, settings, shapes) if text else _media_tokens(kind, settings, shapes)
        total = [total[0] + found[0], total[1] + found[1]]
    return total[0], total[1]


def _text_tokens(collection: Collection, side: str, settings: TrainSettings, shapes: list[dict[str, int]]) -> Range:
    import pyarrow.compute as pc

    column = collection.side(side).with_format("arrow")[:]["text"]
    longest = pc.max(pc.utf8_length(column)).as_py() or 1
    read = max((shape.get("positions", 0) for shape in shapes), default=0)
    most = settings.max_text_tokens or read or TEXT_TOKENS_AT_MOST
    few, many = CHARACTERS_PER_TOKEN
    return min(most, longest / many + 2), min(most, longest / few + 2)


def _media_tokens(kind: str, settings: TrainSettings, shapes: list[dict[str, int]]) -> Range:
    patches = [shape["patches"] for shape in shapes if shape.get("patches")]
    if kind == "image" and patches:
        return float(min(patches)), float(max(patches))
    frames = [shape["frames"] for shape in shapes if shape.get("frames")]
    if kind == "audio" and frames:
        return float(min(frames)), float(max(frames))
    few, many = UNKNOWN_TOKENS[kind]
    if settings.max_pixels and kind != "audio":
        most = (4 if kind == "video" else 1) * settings.max_pixels / PIXELS_PER_TOKEN
        few, many = min(few, most), min(many, most)
    return few, many


def trunks(folder: Path | None) -> list[dict[str, int]]:
    """The trunks that a model's configuration files tell of: {"layers", "hidden"}, "positions" of a text at most,
    "patches" or "frames" of media."""
    found = []
    for path in sorted(folder.rglob("config.json")) if folder else ():
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a damaged file is told of when the model is loaded
            continue
        found += [trunk for part in _parts(config) if (trunk := _trunk(part))]
    return found


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """A configuration and those inside it, such as text_config and vision_config."""
    if isinstance(config, dict):
        yield config
        for value in config.values():
            yield from _parts(value)


def _trunk(config: dict[str, Any]) -> dict[str, int]:
    layers = config.get("num_hidden_layers") or config.get("encoder_layers") or config.get("depth")
    hidden = config.get("hidden_size") or config.get("d_model")
    if not (isinstance(layers, int) and isinstance(hidden, int)):
        return {}
    trunk = {"layers": layers, "hidden": hidden}
    picture, patch = config.get("image_size"), config.get("patch_size")
    if isinstance(picture, int) and isinstance(patch, int) and patch:
        trunk["patches"] = (picture // patch) ** 2
    if isinstance(config.get("max_position_embeddings"), int):
        trunk["positions"] = config["max_position_embeddings"]
    if isinstance(config.get("max_source_positions"), int):
        trunk["frames"] = config["max_source_positions"]
    return trunk


def has_gpu() -> bool:
    """Whether this computer has an NVIDIA driver, told without loading torch."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 0.95e9 else f"{count / 1e6:,.0f} MB"
