"""The settings of memory and speed, and of what the model reads."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from workbench.settings.declare import setting


class MemorySettings(BaseModel):
    """What the device must hold, and how fast it is."""

    device: str = setting(
        "Memory",
        "auto",
        "Device",
        "auto takes whichever GPU of NVIDIA is free first. A name such as cuda:1 (the numbers are those of nvidia-smi) "
        "waits for that one; cpu leaves them to others.",
        pattern=r"^(auto|cpu|cuda(:[0-9]{1,3})?)$",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = setting(
        "Memory",
        "auto",
        "Number format",
        "auto takes bf16 on a GPU that has it, else fp32. Half formats save memory and time.",
    )
    gradient_checkpointing: bool = setting(
        "Memory",
        False,
        "Gradient checkpointing",
        "Computes parts twice to save most of the activation memory. About a third slower.",
    )
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = setting(
        "Memory",
        "auto",
        "Attention",
        "How attention is computed. sdpa and flash_attention_2 are faster and smaller; auto leaves it to the model.",
    )
    compile: bool = setting(
        "Memory",
        False,
        "Compile",
        "Compiles the model with torch.compile: minutes at the start, then faster steps. Wants a C++ compiler.",
    )
    base_in_4_bit: bool = setting(
        "Memory",
        False,
        "Base in 4 bits",
        "Holds the weights under the LoRA adapters in 4 bits: an eighth of the memory, a little less exact.",
    )
    loader_workers: int = setting(
        "Memory",
        -1,
        "Loader processes",
        "Processes that decode media beside the training. -1 chooses: several beside a GPU, one on a processor of four "
        "or more cores, none on a smaller one, where they would only take the training's time.",
        unit="processes",
        ge=-1,
        le=64,
    )


class InputSettings(BaseModel):
    """What the model reads of each query and document."""

    max_text_tokens: int = setting(
        "Inputs",
        0,
        "Longest text",
        "Longer texts are cut. 0 keeps the model's own limit. Longer costs memory.",
        unit="tokens",
        ge=0,
    )
    min_pixels: int = setting(
        "Inputs",
        0,
        "Smallest picture",
        "Smaller pictures are enlarged to so many pixels. 0 keeps the model's own limit. More costs memory.",
        unit="pixels",
        ge=0,
    )
    max_pixels: int = setting(
        "Inputs",
        0,
        "Largest picture",
        "Larger pictures are scaled down to so many pixels. 0 keeps the model's own limit. More shows finer detail "
        "and costs memory.",
        unit="pixels",
        ge=0,
    )
    audio_seconds: float = setting(
        "Inputs",
        0.0,
        "Longest sound",
        "Longer sounds are cut. 0 keeps the model's own limit. Longer costs memory.",
        unit="seconds",
        ge=0,
    )
    video_frames: int = setting(
        "Inputs",
        0,
        "Pictures of a video",
        "How many pictures of a video are read when it is compared, evenly spread; it is learnt from its middle one. "
        "0 reads 4. More is slower.",
        unit="pictures",
        ge=0,
        le=1024,
    )
    query_prompt: str = setting(
        "Inputs",
        "",
        "Prompt before queries",
        "Words put before each text query, kept in the model. Empty: the model's own.",
        unit="text",
    )
    document_prompt: str = setting(
        "Inputs",
        "",
        "Prompt before documents",
        "Words put before each text document, kept in the model. Empty: the model's own.",
        unit="text",
    )
