"""A model of the architecture of Qwen3-VL-Embedding, random weights, laid out as on the Hub: of 2B size, or tiny.

Where torchvision is not installed, whose video processor Qwen's own processor insists on, the folder brings a processor
for pictures and text alone, as code of its own.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
]  # fmt: skip
LENGTH = 4096
# The shape of Qwen/Qwen3-VL-Embedding-2B, from its config.json.
TEXT = {
    "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936, "max_position_embeddings": 262144,
    "rope_parameters": {
        "rope_type": "default", "rope_theta": 5_000_000.0, "mrope_section": [24, 20, 20], "mrope_interleaved": True
    },
}  # fmt: skip
VISION = {
    "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16, "out_hidden_size": 2048,
    "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 2304,
    "deepstack_visual_indexes": [5, 11, 17],
}  # fmt: skip
TINY_TEXT = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 320,
    "rope_parameters": TEXT["rope_parameters"] | {"mrope_section": [4, 2, 2]},
}  # fmt: skip
TINY_VISION = {
    "depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64,
    "deepstack_visual_indexes": [0, 1, 2],
}  # fmt: skip
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
OWN_PROCESSOR = '''
"""Qwen3-VL's processor without videos."""

from transformers import ProcessorMixin


class PictureProcessor(ProcessorMixin):
    return_mm_token_type_ids = True
    text_kwargs = {"return_token_type_ids": False}

    def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **kwargs):
        self.image_token = "<|image_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def replace_image_token(self, image_inputs, image_idx, **kwargs):
        patches = image_inputs["image_grid_thw"][image_idx].prod()
        return self.image_token * (patches // self.image_processor.merge_size**2)

    @property
    def model_input_names(self):
        return super().model_input_names + ["mm_token_type_ids"]
'''


def has_torchvision() -> bool:
    """Whether Qwen's own processor can be used."""
    return importlib.util.find_spec("torchvision") is not None


def make_model(folder: Path, *, tiny: bool, most_pixels: int, device: str) -> int:
    """Write the model, its weights in bf16 as the original's are; returns its number of parameters.

    most_pixels: to which larger pictures are scaled down.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import Qwen3VLConfig, Qwen3VLModel

    # Not within the model's folder, where its weights would be counted twice.
    base = folder.with_name(f"{folder.name}-base")
    words = _save_processor(base, most_pixels)
    ids = {name: words.convert_tokens_to_ids(f"<|{name}|>") for name in ("image_pad", "video_pad")}
    marks = {f"vision_{end}_token_id": words.convert_tokens_to_ids(f"<|vision_{end}|>") for end in ("start", "end")}
    config = Qwen3VLConfig(
        text_config=TEXT | (TINY_TEXT if tiny else {}),
        vision_config=VISION | (TINY_VISION if tiny else {}),
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
        architectures=["Qwen3VLModel"],
        **marks,
    )
    torch.manual_seed(0)
    with torch.device(device):
        trunk = Qwen3VLModel._from_config(config, dtype=torch.bfloat16)
    trunk.save_pretrained(base)
    del trunk
    kwargs: dict[str, Any] = {} if has_torchvision() else {"trust_remote_code": True}
    transformer = Transformer(
        str(base),
        model_kwargs=dict(kwargs),
        config_kwargs=dict(kwargs),
        processor_kwargs=dict(kwargs),
        processing_kwargs={"chat_template": {"add_generation_prompt": True}},
    )
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="lasttoken")
    model = SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    shutil.rmtree(base)
    return sum(weight.numel() for weight in model.parameters())


def _save_processor(folder: Path, most_pixels: int) -> Any:
    """Write the processor, whose tokenizer spells words byte by byte; returns the tokenizer."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    signs = [*SPECIAL, *sorted(ByteLevel.alphabet())]
    words = Qwen2Tokenizer(
        vocab={sign: number for number, sign in enumerate(signs)},
        merges=[],
        unk_token="<|endoftext|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL[1:],
        model_max_length=LENGTH,
        padding_side="right",
    )
    size = {"shortest_edge": 32 * 32, "longest_edge": most_pixels}
    shape = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2, "size": size}
    folder.mkdir(parents=True, exist_ok=True)
    if has_torchvision():
        from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

        Qwen3VLProcessor(
            Qwen2VLImageProcessor(**shape), words, Qwen3VLVideoProcessor(), chat_template=TEMPLATE
        ).save_pretrained(folder)
        return words
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    code = folder / "picture_processor.py"
    code.write_text(OWN_PROCESSOR, encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "picture_processor"}
    exec(compile(OWN_PROCESSOR, str(code), "exec"), namespace)
    namespace["PictureProcessor"](Qwen2VLImageProcessorPil(**shape), words, chat_template=TEMPLATE).save_pretrained(
        folder
    )
    path = folder / "processor_config.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    told["auto_map"] = {"AutoProcessor": "picture_processor.PictureProcessor"}
    path.write_text(json.dumps(told, indent=2), encoding="utf-8")
    return words


def attention(folder: Path) -> str:
    """Flash attention where it is installed and this model answers with it, else SDPA."""
    import torch
    from sentence_transformers import SentenceTransformer

    if not torch.cuda.is_available() or importlib.util.find_spec("flash_attn") is None:
        return "sdpa"
    try:
        given = {"attn_implementation": "flash_attention_2", "dtype": torch.bfloat16}
        model = SentenceTransformer(str(folder), device="cuda", trust_remote_code=True, model_kwargs=given)
        model.encode([{"text": "a word"}])
    except Exception as error:  # whatever it is, the other attention is measured then, and this is told
        print(f"flash attention cannot be used: {error}", file=sys.stderr)
        return "sdpa"
    return "flash_attention_2"
