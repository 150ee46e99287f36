"""Tiny checkpoints of real architectures with random weights, laid out as on the Hub: each the least that will load."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import torch

WIDTH = 32
SMALL = {"hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
PIXELS = 32
ST = "sentence_transformers.models"


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def save_tokenizer(folder: Path, length: int = 160, **extra: Any) -> Any:
    """A WordPiece tokenizer that spells every word letter by letter."""
    from transformers import BertTokenizer

    signs = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]", *extra.pop("marks", [])]
    vocabulary = {word: number for number, word in enumerate([*marks, *signs, *(f"##{sign}" for sign in signs)])}
    tokenizer = BertTokenizer(vocab=vocabulary, model_max_length=length, **extra)
    tokenizer.save_pretrained(folder)
    return tokenizer


def save_text_encoder(folder: Path, name: str, tokenizer: dict[str, Any] | None = None, **config: Any) -> Any:
    """A text encoder of the architecture `name` (Bert, XLMRoberta, ModernBert, NomicBert, T5 …), random weights."""
    import transformers

    words = save_tokenizer(folder, **(tokenizer or {}))
    settings = getattr(transformers, f"{name}Config")(
        vocab_size=len(words), pad_token_id=words.pad_token_id, **(SMALL | config)
    )
    torch.manual_seed(0)
    model = getattr(transformers, "T5EncoderModel" if name == "T5" else f"{name}Model")(settings)
    model.save_pretrained(folder)
    return model


def save_modules(folder: Path, *, pooling: str, normalize: bool, dense: bool = False, prompts: Any = None) -> None:
    """modules.json and its folders, as Sentence Transformers 2 to 5 wrote them."""
    kinds = ["Transformer", "Pooling", *(["Dense"] if dense else []), *(["Normalize"] if normalize else [])]
    write_json(
        folder / "modules.json",
        [
            {"idx": place, "name": str(place), "path": f"{place}_{kind}" if place else "", "type": f"{ST}.{kind}"}
            for place, kind in enumerate(kinds)
        ],
    )
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    chosen = {f"pooling_mode_{mode}": mode.startswith(pooling) and "sqrt" not in mode for mode in modes}
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": WIDTH, **chosen})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 160, "do_lower_case": False})
    card: dict[str, Any] = {"__version__": {"sentence_transformers": "2.7.0"}}
    write_json(folder / "config_sentence_transformers.json", card if prompts is None else card | {"prompts": prompts})
    if dense:
        from safetensors.torch import save_file

        identity = "torch.nn.modules.linear.Identity"
        write_json(
            folder / "2_Dense" / "config.json",
            {"in_features": WIDTH, "out_features": 16, "bias": False, "activation_function": identity},
        )
        torch.manual_seed(1)
        save_file({"linear.weight": torch.randn(16, WIDTH)}, folder / "2_Dense" / "model.safetensors")


def text_embedder(folder: Path, name: str, *, pooling: str, normalize: bool = True, **more: Any) -> Path:
    """A whole text embedder with modules.json."""
    config = more.pop("config", {})
    save_text_encoder(folder, name, more.pop("tokenizer", None), **config)
    save_modules(folder, pooling=pooling, normalize=normalize, **more)
    return folder


def clip(folder: Path) -> Path:
    """A CLIP with a config of Transformers alone, as OpenAI's and the converted OpenCLIP ones are."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    words = save_tokenizer(folder)
    marks = {"bos_token_id": words.cls_token_id, "eos_token_id": words.sep_token_id, "pad_token_id": 0}
    config = CLIPConfig(
        text_config={**SMALL, "vocab_size": len(words), "max_position_embeddings": 160, **marks},
        vision_config={**SMALL, "image_size": PIXELS, "patch_size": 8},
        projection_dim=16,
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    size = {"height": PIXELS, "width": PIXELS}
    CLIPProcessor(CLIPImageProcessor(size=size, crop_size=size), words).save_pretrained(folder)
    return folder


def legacy_clip(folder: Path) -> Path:
    """A CLIP as Sentence Transformers 2 saved it: one module, in a folder of its own."""
    clip(folder / "0_CLIPModel")
    module = {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": f"{ST}.CLIPModel"}
    write_json(folder / "modules.json", [module])
    write_json(folder / "config_sentence_transformers.json", {"__version__": {"sentence_transformers": "2.0.0"}})
    return folder


def siglip(folder: Path) -> Path:
    """A fixed-size SigLIP 2: Transformers calls its architecture `siglip`."""
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel, SiglipProcessor

    words = save_tokenizer(folder, length=10**30)
    marks = {"bos_token_id": words.cls_token_id, "eos_token_id": words.sep_token_id, "pad_token_id": 0}
    text = {**SMALL, **marks, "vocab_size": len(words), "max_position_embeddings": 48, "projection_size": WIDTH}
    config = SiglipConfig(
        text_config=text,
        vision_config={**SMALL, "image_size": PIXELS, "patch_size": 8},
    )
    torch.manual_seed(0)
    SiglipModel(config).save_pretrained(folder)
    size = {"height": PIXELS, "width": PIXELS}
    SiglipProcessor(SiglipImageProcessor(size=size), words).save_pretrained(folder)
    return folder


def clap(folder: Path) -> Path:
    """A CLAP: a text encoder and an HTSAT over one second at 48 kHz."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor

    words = save_tokenizer(folder)
    config = ClapConfig(
        text_config={**SMALL, "vocab_size": len(words), "projection_dim": 16, "pad_token_id": 0},
        audio_config={
            "hidden_size": 32, "patch_embeds_hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2],
            "num_hidden_layers": 2, "spec_size": 64, "num_mel_bins": 16, "window_size": 4, "projection_dim": 16,
            "patch_size": 4, "patch_stride": [4, 4], "num_classes": 4, "enable_fusion": False,
        },
        projection_dim=16,
    )  # fmt: skip
    torch.manual_seed(0)
    ClapModel(config).save_pretrained(folder)
    listener = ClapFeatureExtractor(feature_size=16, max_length_s=1, truncation="rand_trunc")
    ClapProcessor(listener, words).save_pretrained(folder)
    return folder


def stanford_colbert(folder: Path) -> Path:
    """A ColBERT as Stanford saved it: BERT and `linear.weight` in one file, settings in artifact.metadata."""
    from safetensors.torch import load_file, save_file

    save_text_encoder(folder, "Bert", max_position_embeddings=192)
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | {"architectures": ["HF_ColBERT"]})
    weights = {f"bert.{name}": value for name, value in load_file(folder / "model.safetensors").items()}
    torch.manual_seed(1)
    weights["linear.weight"] = torch.randn(16, WIDTH)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    metadata = {"query_maxlen": 24, "doc_maxlen": 48, "query_token_id": "[unused0]", "doc_token_id": "[unused1]"}
    write_json(folder / "artifact.metadata", {**metadata, "attend_to_mask_tokens": False, "mask_punctuation": True})
    return folder


def pylate_colbert(folder: Path) -> Path:
    """A ColBERT as PyLate saved it: a Dense of PyLate's own, and the marks of queries and documents in the config."""
    from safetensors.torch import save_file

    save_text_encoder(folder, "Bert", {"marks": ["[Q]", "[D]"]}, max_position_embeddings=192)
    names = [("", f"{ST}.Transformer"), ("1_Dense", "pylate.models.Dense.Dense")]
    modules = [{"idx": at, "name": str(at), "path": path, "type": kind} for at, (path, kind) in enumerate(names)]
    write_json(folder / "modules.json", modules)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 47, "do_lower_case": False})
    lengths = {"query_length": 24, "document_length": 48, "attend_to_expansion_tokens": False}
    marks = {"query_prefix": "[Q] ", "document_prefix": "[D] ", "skiplist_words": ["!", "."]}
    write_json(folder / "config_sentence_transformers.json", {**lengths, **marks, "prompts": {}})
    identity = {"activation_function": "torch.nn.modules.linear.Identity"}
    write_json(
        folder / "1_Dense" / "config.json", {"in_features": WIDTH, "out_features": 16, "bias": False, **identity}
    )
    torch.manual_seed(1)
    save_file({"linear.weight": torch.randn(16, WIDTH)}, folder / "1_Dense" / "model.safetensors")
    return folder


CUSTOM_CODE = '''
"""A text encoder with an adapter for each task, which knows no other task than those of its config."""

import torch
from sentence_transformers.models import Transformer as Plain


class Transformer(Plain):
    def forward(self, features, task=None, **kwargs):
        tasks = self.config.lora_adaptations
        if task and task not in tasks:
            raise ValueError(f"Unsupported task '{task}'. Supported tasks are: {', '.join(tasks)}.")
        features = super().forward(features, **kwargs)
        if task:
            features["token_embeddings"] = torch.roll(features["token_embeddings"], 1 + tasks.index(task), -1)
        return features
'''


def jina_v3(folder: Path) -> Path:
    """A model whose module is code in its own folder, with tasks, as Jina's third."""
    tasks = ["retrieval.query", "retrieval.passage", "text-matching"]
    text_embedder(folder, "XLMRoberta", pooling="mean", config={"lora_adaptations": tasks, "auto_map": {}})
    modules = json.loads((folder / "modules.json").read_text())
    modules[0] |= {"type": "custom_st.Transformer", "kwargs": ["task"]}
    write_json(folder / "modules.json", modules)
    (folder / "custom_st.py").write_text(CUSTOM_CODE, encoding="utf-8")
    return folder


def cross_encoder(folder: Path) -> Path:
    """A reranker with a config of Transformers alone, as BGE's and the MS MARCO ones are."""
    from transformers import BertConfig, BertForSequenceClassification

    words = save_tokenizer(folder)
    torch.manual_seed(0)
    BertForSequenceClassification(BertConfig(**SMALL, vocab_size=len(words), num_labels=1)).save_pretrained(folder)
    return folder


def colpali(folder: Path) -> Path:
    """A ColPali: PaliGemma (SigLIP and Gemma) with a projection to 16 dimensions."""
    from transformers import ColPaliConfig, ColPaliForRetrieval, ColPaliProcessor, SiglipImageProcessor

    special = {"image_token": "<image>"}
    words = save_tokenizer(folder, marks=["<image>", "<s>"], bos_token="<s>", extra_special_tokens=special)
    image = words.convert_tokens_to_ids("<image>")
    text = {**SMALL, "vocab_size": len(words), "num_key_value_heads": 1, "head_dim": 8, "model_type": "gemma"}
    vision = {**SMALL, "image_size": PIXELS, "patch_size": 8, "projection_dim": WIDTH}
    vision["model_type"] = "siglip_vision_model"
    config = ColPaliConfig(
        vlm_config={
            "model_type": "paligemma", "text_config": text, "vision_config": vision, "image_token_index": image,
            "projection_dim": WIDTH, "hidden_size": WIDTH,
        },
        embedding_dim=16,
    )  # fmt: skip
    torch.manual_seed(0)
    ColPaliForRetrieval(config).save_pretrained(folder)
    pictures = SiglipImageProcessor(size={"height": PIXELS, "width": PIXELS})
    pictures.image_seq_length = (PIXELS // 8) ** 2
    ColPaliProcessor(pictures, words).save_pretrained(folder)
    return folder


def vit(folder: Path) -> Path:
    """A ViT that was trained to tell classes apart, as on the Hub."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    ViTForImageClassification(ViTConfig(**SMALL, image_size=PIXELS, patch_size=8)).save_pretrained(folder)
    ViTImageProcessor(size={"height": PIXELS, "width": PIXELS}).save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    """A whole Whisper, which hears 30 seconds and writes."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    heads = {f"{side}_{what}": 2 for side in ("encoder", "decoder") for what in ("layers", "attention_heads")}
    marks = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    config = WhisperConfig(
        d_model=WIDTH, encoder_ffn_dim=64, decoder_ffn_dim=64, vocab_size=8, num_mel_bins=16, **heads, **marks
    )
    torch.manual_seed(0)
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=16).save_pretrained(folder)
    return folder


def wav2vec2(folder: Path) -> Path:
    """A Wav2Vec2 without a tokenizer, as those that were never tuned to write."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    layers = {"conv_dim": (16, 16), "conv_kernel": (10, 8), "conv_stride": (10, 8), "num_feat_extract_layers": 2}
    places = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    torch.manual_seed(0)
    Wav2Vec2ForCTC(Wav2Vec2Config(**SMALL, **layers, **places, vocab_size=8)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder
