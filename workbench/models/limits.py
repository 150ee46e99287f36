"""How large a model lets its inputs be: the pixels of a picture, the seconds of a sound, the frames of a video.

The limits lie in the model's own configuration files, so that whoever opens a tuned model with the workbench reads
inputs as it learnt them. They are kept before the model's own processor sees the input.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

KEY = "workbench_input_limits"


@dataclass(frozen=True)
class InputLimits:
    """0 leaves it to the model: pixels are width × height, seconds those of a sound, frames those of a video."""

    min_pixels: int = 0
    max_pixels: int = 0
    audio_seconds: float = 0.0
    video_frames: int = 0

    def picture(self, picture: Image.Image) -> Image.Image:
        """The picture scaled into the limits, its shape kept."""
        pixels = picture.width * picture.height
        wanted = min(pixels, self.max_pixels) if self.max_pixels else pixels
        wanted = max(wanted, self.min_pixels)
        if wanted == pixels:
            return picture
        scale = (wanted / pixels) ** 0.5
        # Rounded away from the limit that is kept, so that it is kept exactly.
        step = int if wanted < pixels else _up
        return picture.resize((max(1, step(picture.width * scale)), max(1, step(picture.height * scale))))

    def sound(self, samples: np.ndarray, sampling_rate: int) -> np.ndarray:
        """The beginning of a sound, at most `audio_seconds` of it."""
        return samples[: max(1, int(self.audio_seconds * sampling_rate))] if self.audio_seconds else samples


NO_LIMITS = InputLimits()


def _up(value: float) -> int:
    return -int(-value // 1)


def set_limits(model: Any, limits: InputLimits) -> None:
    """Write the limits into a Sentence Transformers model; they are saved with it."""
    for config in _configs(model):
        setattr(config, KEY, asdict(limits))


def limits_of(model: Any) -> InputLimits:
    """The limits a model was given, or none."""
    for config in _configs(model):
        if isinstance(known := getattr(config, KEY, None), dict):
            return InputLimits(**{name: known[name] for name in asdict(InputLimits()) if name in known})
    return InputLimits()


def _configs(model: Any) -> list[Any]:
    """The configurations of the model's trunks: modules with a processor of their own."""
    found = [getattr(module, "config", None) for module in model.modules() if hasattr(module, "processor")]
    return [config for config in found if config is not None]
