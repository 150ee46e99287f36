"""Encoders of pictures and of sound, taken out of whatever checkpoint holds them, as modules of Sentence Transformers.

A CLIP is not taken whole: its text tower would be carried, saved and trained for nothing.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.models.limits import KEY, InputLimits
from workbench.models.load import loading_in_words
from workbench.models.refusals import modules_of, read_settings
from workbench.models.source import find
from workbench.workspace import Workspace

AUDIO_SECONDS = 10.0
NOUNS = {"image": "pictures", "audio": "sound"}
# A CLAP's text tower cannot be left out, only made as small as its configuration allows.
UNREAD = {
    "num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 1, "vocab_size": 8,
    "pad_token_id": 0,
}  # fmt: skip


@dataclass(frozen=True)
class EncoderKind:
    """How the encoder of an architecture is taken out, and how one vector is made of what it says.

    loader: the class of Transformers. part: the attribute that holds the encoder; empty where it is the whole.
    pooling: `mean` or `cls` of the last layer, or `own`, the vector that the encoder was trained to make.
    """

    loader: str = "AutoModel"
    part: str = ""
    pooling: str = "mean"


VIT, MEAN = EncoderKind(pooling="cls"), EncoderKind()
CLIP, SIGLIP = EncoderKind("CLIPVisionModel", pooling="own"), EncoderKind("SiglipVisionModel", pooling="own")
KINDS: dict[str, dict[str, EncoderKind]] = {
    "image": {
        "clip": CLIP, "clip_vision_model": CLIP, "siglip": SIGLIP, "siglip_vision_model": SIGLIP,
        "vit": VIT, "deit": VIT, "dinov2": VIT, "dinov2_with_registers": VIT, "dinov3_vit": VIT,
        "beit": MEAN, "data2vec-vision": MEAN, "swin": MEAN, "swinv2": MEAN, "convnext": MEAN, "convnextv2": MEAN,
    },
    "audio": {
        "whisper": EncoderKind("WhisperModel", part="encoder"), "wav2vec2": MEAN, "hubert": MEAN, "wavlm": MEAN,
        "unispeech": MEAN, "unispeech-sat": MEAN, "data2vec-audio": MEAN,
        "clap": EncoderKind("ClapModel", pooling="own"), "audio-spectrogram-transformer": VIT,
    },
}  # fmt: skip


# On the page, where no other is typed.
PROPOSED = {
    "image": ("google/siglip2-base-patch16-224", "openai/clip-vit-base-patch32", "facebook/dinov2-base"),
    "audio": ("openai/whisper-base", "laion/clap-htsat-unfused", "facebook/wav2vec2-base-960h"),
}


@dataclass(frozen=True)
class Encoder:
    """The modules from an input to one vector of `dimension` numbers, and where they come from."""

    modules: list[Any]
    dimension: int
    reference: str
    revision: str


def take_encoder(workspace: Workspace, reference: str, modality: str, audio_seconds: float = AUDIO_SECONDS) -> Encoder:
    """The encoder of a modality, `image` or `audio`, out of the model behind a reference.

    audio_seconds: how much of each sound is heard. Raises WorkbenchError for a model that has none of a known
    architecture, and for one that needs code of its own.
    """
    import torch

    source = find(workspace, reference)
    folder = _holder(reference, source.folder, modality)
    kind = _kind(reference, folder, modality)
    with tempfile.TemporaryDirectory() as temporary, loading_in_words(reference), torch.random.fork_rng(devices=[]):
        # What a checkpoint leaves open, such as a pooler that no vector depends on, is drawn the same each time.
        torch.manual_seed(0)
        _save_tower(folder, Path(temporary), kind, modality, audio_seconds)
        modules, dimension = _modules(Path(temporary), kind, modality, audio_seconds)
    return Encoder(modules, dimension, reference, source.revision)


def _holder(reference: str, folder: Path | None, modality: str) -> Path:
    """The folder with the configuration of Transformers: that of a checkpoint of one model, however it was saved."""
    if folder is None:
        raise WorkbenchError(f"No encoder can be taken out of “{reference}”. Name a model on the Hub or in a folder.")
    first = next(iter(modules_of(folder)), {})
    # Of a path that leads out of the folder nothing is read.
    inner = (folder / str(first.get("path", ""))).resolve()
    if not (inner / "config.json").is_file() or not inner.is_relative_to(folder.resolve()):
        raise WorkbenchError(
            f"“{reference}” is made of several models, so no encoder of {NOUNS[modality]} is taken out of it. Name the "
            "model that the encoder came from."
        )
    return inner


def _kind(reference: str, folder: Path, modality: str) -> EncoderKind:
    name = str(read_settings(folder / "config.json").get("model_type", ""))
    if name not in KINDS[modality]:
        known = ", ".join(kind for kind in KINDS[modality] if not kind.endswith("_model"))
        raise WorkbenchError(
            f"“{reference}” is a model of the type {name or 'unknown'}, out of which no encoder of {NOUNS[modality]} "
            f"can be taken. Choose one of the type {known}."
        )
    return KINDS[modality][name]


def _save_tower(folder: Path, to: Path, kind: EncoderKind, modality: str, audio_seconds: float) -> None:
    """Write the encoder alone, in float32, with what prepares its input."""
    import torch
    import transformers

    model = getattr(transformers, kind.loader).from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    if modality == "image":
        transformers.AutoImageProcessor.from_pretrained(folder).save_pretrained(to)
        (getattr(model, kind.part) if kind.part else model).save_pretrained(to)
        return
    if kind.loader == "ClapModel":
        model = without_words(model)
        transformers.AutoProcessor.from_pretrained(folder).save_pretrained(to)
    else:
        listener = transformers.AutoFeatureExtractor.from_pretrained(folder)
        if kind.part:
            model = getattr(model, kind.part)
            shorten_whisper(model, listener, audio_seconds)
        # Else a processor with a tokenizer is looked for when it is opened. A feature extractor would not keep this.
        model.config.processor_class = type(listener).__name__
        listener.save_pretrained(to)
    model.save_pretrained(to)


def without_words(model: Any) -> Any:
    """A CLAP that hears as before and whose text tower is next to nothing."""
    from copy import deepcopy

    config = deepcopy(model.config)
    config.text_config.update(UNREAD)
    small = type(model)(config)
    small.audio_model.load_state_dict(model.audio_model.state_dict())
    small.audio_projection.load_state_dict(model.audio_projection.state_dict())
    return small


def shorten_whisper(encoder: Any, listener: Any, seconds: float) -> None:
    """Let a Whisper encoder hear `seconds` instead of 30: most of a short sound would be silence to it.

    Its positions are counted from the beginning, so those of the seconds left out are dropped.
    """
    import torch

    seconds = max(1, min(int(seconds), listener.chunk_length))
    frames = seconds * listener.sampling_rate // listener.hop_length
    listener.chunk_length, listener.n_samples = seconds, seconds * listener.sampling_rate
    listener.nb_max_frames = frames
    positions = encoder.embed_positions.weight[: frames // 2].detach().clone()
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(positions)
    encoder.config.max_source_positions = encoder.max_source_positions = frames // 2


def _modules(folder: Path, kind: EncoderKind, modality: str, audio_seconds: float) -> tuple[list[Any], int]:
    """The modules of a saved encoder, and the size of the vector they make, found by reading an example."""
    import torch
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    own = kind.pooling == "own"
    method = "get_audio_features" if kind.loader == "ClapModel" else "forward"
    wanted = {"method": method, "method_output_name": "pooler_output" if own else "last_hidden_state"}
    output = "sentence_embedding" if own else "token_embeddings"
    encoder = Transformer(str(folder), modality_config={modality: wanted}, module_output_name=output).eval()
    if method != "forward":
        _as_clap_hears(encoder)
    elif modality == "audio" and kind is MEAN:
        encoder.processing_kwargs = _fixed_length(encoder.processor.sampling_rate, audio_seconds)
    with torch.no_grad():
        said = encoder(encoder.preprocess([_example(encoder, modality)]))[output]
    dimension = int(said.shape[-1])
    return [encoder] if own else [encoder, Pooling(dimension, pooling_mode=kind.pooling)], dimension


def _fixed_length(sampling_rate: int, seconds: float) -> dict[str, Any]:
    """All sounds at one length: else the vector of a short one would depend on the longest of its batch.

    These encoders shorten the sound, and the library then takes the filling for a part of it.
    """
    length = int(seconds * sampling_rate)
    return {"audio": {"padding": "max_length", "max_length": length, "truncation": True}}


def _as_clap_hears(encoder: Any) -> None:
    """A short sound again and again, as CLAP learnt it, and of a long one the beginning: no piece drawn by chance."""
    listener = encoder.processor.feature_extractor
    encoder.processing_kwargs = {"audio": {"padding": "repeatpad"}}
    seconds = listener.nb_max_samples / listener.sampling_rate
    setattr(encoder.config, KEY, asdict(InputLimits(audio_seconds=seconds)))


def _example(encoder: Any, modality: str) -> Any:
    import numpy as np
    from PIL import Image

    if modality == "image":
        return Image.new("RGB", (64, 64), (200, 60, 40))
    rate = getattr(encoder.processor, "feature_extractor", encoder.processor).sampling_rate
    return {"audio": {"array": np.zeros(rate, np.float32), "sampling_rate": rate}}
