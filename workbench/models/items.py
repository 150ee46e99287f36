"""Items of a collection as a model takes them: read late, decoded late, one modality at a time.

Text goes to no embedder as a bare string: Sentence Transformers opens a string that looks like a path or an address
as media. `model_input` wraps it, and passes media as decoded objects only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from workbench import media
from workbench.collection.store import Collection, Item, item_from_row
from workbench.models.limits import NO_LIMITS, InputLimits, limits_of

if TYPE_CHECKING:
    from PIL import Image

AUDIO_SAMPLING_RATE = 16000
VIDEO_FRAMES = 4


class LazyItems(Sequence[Item]):
    """Some rows of one side of a collection as a sequence that reads a row only when it is asked for.

    `modalities` tells the modality of each without reading media.
    """

    def __init__(self, collection: Collection, side: str, rows: Sequence[int] | np.ndarray | None = None) -> None:
        self.table = collection.side(side)
        self.rows = np.arange(len(self.table)) if rows is None else np.asarray(rows, dtype=np.int64)
        column = collection.query_modalities if side == "queries" else collection.document_modalities
        self.modalities = column[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return item_from_row(self.table[int(self.rows[index])])


def modalities_of(items: Sequence[Item]) -> np.ndarray:
    """The modality of each item, an array of str; reads no media of `LazyItems`."""
    known = getattr(items, "modalities", None)
    return known if known is not None else np.array([item.modality for item in items], dtype=object)


@dataclass(frozen=True)
class InputForm:
    """How one model wants its inputs.

    messages: an item of several modalities goes in as a chat message. markers: strings that stand for media in the
    model's text, such as `<image>`; a user's text that holds one must not be taken for a picture that is not there.
    sampling_rate: of sound, in hertz, as the model's feature extractor was made for. bare_text: text goes in as a
    string, which is safe in a pair of texts alone: a cross-encoder without a chat template takes nothing else.
    """

    messages: bool = False
    markers: tuple[str, ...] = ()
    sampling_rate: int = AUDIO_SAMPLING_RATE
    limits: InputLimits = NO_LIMITS
    bare_text: bool = False

    @classmethod
    def of(cls, model: Any) -> InputForm:
        """The form that a Sentence Transformers model wants."""
        markers: set[str] = set()
        sampling_rate = AUDIO_SAMPLING_RATE
        for module in model.modules():
            processor = getattr(module, "processor", None)
            listener = getattr(processor, "feature_extractor", processor)
            sampling_rate = int(getattr(listener, "sampling_rate", None) or sampling_rate)
            for name in ("image_token", "video_token", "audio_token", "boi_token", "eoi_token"):
                marker = getattr(processor, name, None)
                if isinstance(marker, str) and marker:
                    markers.add(marker)
        messages = "message" in model.modalities
        bare_text = type(model).__name__ == "CrossEncoder" and not messages
        return cls(messages, tuple(sorted(markers)), sampling_rate, limits_of(model), bare_text)

    def plain(self, text: str) -> str:
        """The text with its markers taken apart: `<image>` becomes `< image>`."""
        for marker in self.markers:
            text = text.replace(marker, f"{marker[0]} {marker[1:]}")
        return text


def model_input(item: Item, form: InputForm) -> Any:
    """An item as one input of a Sentence Transformers model.

    Text becomes {"text": …}, a picture a PIL image, sound {"audio": {"array", "sampling_rate"}}, a video an array of
    frames (frames, height, width, 3). An item of several modalities becomes one dictionary, or one chat message for a
    model that reads pictures through a chat template.
    """
    parts = {kind: _decoded(item, kind, form) for kind in item.modality.split("+")}
    if len(parts) == 1:
        ((kind, value),) = parts.items()
        return value if kind == "image" or (kind == "text" and form.bare_text) else {kind: value}
    if form.messages:
        content = [{"type": kind, kind: value} for kind, value in parts.items()]
        # Media first: the text then speaks about what has been seen.
        return [{"role": "user", "content": sorted(content, key=lambda part: part["type"] == "text")}]
    return parts


def _decoded(item: Item, kind: str, form: InputForm) -> Any:
    if kind == "text":
        return form.plain(item.text or "")
    if kind == "image":
        return form.limits.picture(media.decode_image(item.image or b""))
    if kind == "audio":
        array, rate = media.decode_audio(item.audio or b"", form.sampling_rate)
        return {"array": form.limits.sound(array, rate), "sampling_rate": rate}
    return np.stack([np.asarray(frame) for frame in video_frames(item, form)])


def video_frames(item: Item, form: InputForm) -> list[Image.Image]:
    """A few frames of a video item, evenly spread, within the limits of the model's form."""
    frames = media.decode_video(item.video or b"", frames=form.limits.video_frames or VIDEO_FRAMES)
    return [form.limits.picture(frame) for frame in frames]
