"""The starter models: what works with no network and no GPU.

`build_starter` makes an any-to-any embedder from configuration with a fixed seed: a `Router` over a small LLaVA-shaped
trunk (a Llama and a CLIP vision tower) for text, pictures and both together, and a small Whisper encoder for sound.
Everything in it is an ordinary Sentence Transformers module, so a tuned starter loads with plain
``SentenceTransformer(path)``. What is shipped in assets/starter has had the first lessons of `primer`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer

SEED = 20240607
HIDDEN = 128
DIMENSION = 128
IMAGE_PIXELS = 64
PATCH_PIXELS = 8
AUDIO_SECONDS = 3
AUDIO_SAMPLING_RATE = 16000
AUDIO_HOP = 320
MEL_BANDS = 64
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'document' %}<s>{% endif %}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% elif part['type'] == 'text' %}"
    "{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{% if message['role'] == 'document' %}</s>{% endif %}{% endfor %}"
)


def starter_folder() -> Path:
    """The shipped starter: a Sentence Transformers folder."""
    return Path(__file__).resolve().parents[2] / "assets" / "starter"


def words_file() -> Path:
    """The everyday English words that the starter's tokenizer knows whole."""
    return starter_folder().with_name("starter-words.txt")


def build_tokenizer() -> Any:
    """A byte-level BPE: each everyday word is one token, and any other text of any language falls back to bytes."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Prepend(" ")])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=12000,
        special_tokens=["<pad>", "<s>", "</s>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = words_file().read_text(encoding="utf-8").split()
    # Each word stands alone and after a space, so that "light-blue" is as well known as "light blue".
    tokenizer.train_from_iterator((form for word in words for form in (" " + word, word)), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<image>"],
        model_max_length=256,
        padding_side="right",
    )


def save_trunk(folder: Path, seed: int = SEED) -> None:
    """Write the text-and-picture trunk: a LLaVA of Llama and CLIP-vision layers, with its processor."""
    import torch
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = build_tokenizer()
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    vision = CLIPVisionConfig(
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=IMAGE_PIXELS,
        patch_size=PATCH_PIXELS,
        projection_dim=HIDDEN,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        initializer_range=0.04,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=image_token,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(IMAGE_PIXELS // PATCH_PIXELS) ** 2,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
    model.save_pretrained(folder)
    size = {"height": IMAGE_PIXELS, "width": IMAGE_PIXELS}
    pictures = CLIPImageProcessor(size=size, crop_size=size, do_center_crop=False, do_convert_rgb=True)
    LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=PATCH_PIXELS,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)


def save_audio_tower(folder: Path, seed: int = SEED) -> None:
    """Write the sound tower: a Whisper encoder over three seconds of 64-band log-mel spectrum, 50 frames a second."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    frames = AUDIO_SECONDS * AUDIO_SAMPLING_RATE // AUDIO_HOP
    config = WhisperConfig(
        d_model=HIDDEN,
        encoder_layers=2,
        encoder_attention_heads=4,
        encoder_ffn_dim=2 * HIDDEN,
        num_mel_bins=MEL_BANDS,
        max_source_positions=frames // 2,
        decoder_layers=1,
        decoder_attention_heads=4,
        decoder_ffn_dim=HIDDEN,
        vocab_size=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WhisperEncoder(config)
    model.save_pretrained(folder)
    WhisperFeatureExtractor(
        feature_size=MEL_BANDS,
        sampling_rate=AUDIO_SAMPLING_RATE,
        chunk_length=AUDIO_SECONDS,
        hop_length=AUDIO_HOP,
        n_fft=800,
    ).save_pretrained(folder)


def build_starter(seed: int = SEED) -> SentenceTransformer:
    """The untrained any-to-any embedder: text, picture, sound, or text and picture together, 128 dimensions."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router, Transformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling

    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        trunk_folder, audio_folder = Path(folder) / "trunk", Path(folder) / "audio"
        save_trunk(trunk_folder, seed)
        save_audio_tower(audio_folder, seed)
        torch.manual_seed(seed)
        trunk = Transformer(str(trunk_folder))
        audio = Transformer(str(audio_folder))
        router = Router(
            {
                "trunk": [
                    trunk,
                    Pooling(HIDDEN, pooling_mode="mean"),
                    Dense(HIDDEN, DIMENSION, bias=False, activation_function=torch.nn.Identity()),
                ],
                "audio": [
                    audio,
                    Pooling(HIDDEN, pooling_mode="mean"),
                    Dense(HIDDEN, DIMENSION, bias=False, activation_function=torch.nn.Identity()),
                ],
            },
            default_route="trunk",
            route_mappings={
                (None, "text"): "trunk",
                (None, "image"): "trunk",
                (None, ("text", "image")): "trunk",
                (None, ("image", "text")): "trunk",
                (None, "message"): "trunk",
                (None, "audio"): "audio",
            },
        )
        return SentenceTransformer(modules=[router, Normalize()], device="cpu")


def build_starter_reranker(device: str = "cpu") -> CrossEncoder:
    """A cross-encoder over the starter's trunk, which already knows some text and pictures; its head is untrained."""
    from sentence_transformers import SentenceTransformer

    from workbench.models.reranker import cross_encoder_from

    return cross_encoder_from(SentenceTransformer(str(starter_folder()), device="cpu"), device, SEED)
