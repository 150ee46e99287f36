"""An embedder: items in, unit vectors out, the same way everywhere in the workbench."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.memory import within_memory
from workbench.models.items import InputForm, modalities_of, model_input, video_frames
from workbench.models.vectors import halvings, normalize

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CHUNK = 256
# The library sorts by length what it gets at once: more texts at once, less padding. Only for a model that has shown
# itself quick, so that a stop never waits for long.
TEXT_CHUNK, QUICK_SECONDS = 1024, 30.0
READABLE = ("text", "image", "audio", "video", "text+image")
WORDS = {"text": "text", "image": "pictures", "audio": "sound", "video": "video"}

Progress = Callable[[int, int], None]


class Embedder:
    """A bi-encoder of Sentence Transformers with its name and fingerprint.

    One model serves all modalities it knows. A video is read as the mean of its frames by a model that knows
    pictures but no video. `tasks` are the model's own names for encoding a query and a document, where it has some.
    """

    def __init__(
        self, model: SentenceTransformer, reference: str, fingerprint: str, tasks: dict[str, str] | None = None
    ) -> None:
        self.model = model
        self.reference = reference
        self.fingerprint = fingerprint
        self.tasks = tasks or {}
        self.form = InputForm.of(model)
        self._seconds_per_text = float("inf")
        self._fitting: dict[str, int] = {}

    @property
    def device(self) -> str:
        return str(self.model.device)

    @property
    def dimension(self) -> int:
        """The full number of components of a vector."""
        dimension = self.model.get_embedding_dimension()
        if dimension is None:
            dimension = self.encode_queries([Item(text="size")]).shape[1]
        return int(dimension)

    @property
    def dimensions(self) -> list[int]:
        """The full dimension and its halves, largest first."""
        return halvings(self.dimension)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it reads: some of text, image, audio, video, and pairs such as text+image."""
        routes = getattr(self.model[0], "sub_modules", None)
        if routes is None:
            return readable_modalities(self.model.modalities)
        # Each for itself: that one has a chat template does not mean that it sees what another one sees.
        found = [kind for route in routes.values() for kind in readable_modalities(getattr(route[0], "modalities", ()))]
        return tuple(kind for kind in READABLE if kind in found)

    @property
    def asymmetric(self) -> bool:
        """Whether a query and a document of the same content get different vectors, by prompts or by towers."""
        prompts = self.model.prompts
        if self.tasks or (prompts.get("query") or "") != (prompts.get("document") or ""):
            return True
        router = self.model[0]
        tasks = getattr(router, "sub_modules", {})
        return "query" in tasks and "document" in tasks

    def check_supports(self, modalities: Iterable[str]) -> None:
        """Raise WorkbenchError if the model cannot read one of these modalities."""
        unknown = [modality for modality in dict.fromkeys(modalities) if modality not in self.modalities]
        if unknown:
            can = ", ".join(WORDS[known] for known in self.modalities if known in WORDS)
            raise WorkbenchError(
                f"The model “{self.reference}” cannot read {in_words(unknown)}; it reads {can}. "
                "Choose another model, or data of another kind."
            )

    def encode_queries(
        self, items: Sequence[Item], *, batch_size: int | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """The vectors of queries: (len(items), dimension) float32, each of unit length, in the order of `items`."""
        return self._encode(items, self._encoder("query"), batch_size, progress)

    def encode_documents(
        self, items: Sequence[Item], *, batch_size: int | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """The vectors of documents: (len(items), dimension) float32, each of unit length, in the order of `items`."""
        return self._encode(items, self._encoder("document"), batch_size, progress)

    def _encoder(self, side: str) -> Callable[..., np.ndarray]:
        """The model's function for queries or documents, through the adapter of its own task if it has tasks."""
        if side in self.tasks:
            return partial(self.model.encode, task=self.tasks[side], prompt=self.model.prompts.get(side) or "")
        return self.model.encode_query if side == "query" else self.model.encode_document

    def _encode(
        self,
        items: Sequence[Item],
        encode: Callable[..., np.ndarray],
        batch_size: int | None,
        progress: Progress | None,
    ) -> np.ndarray:
        modalities = modalities_of(items)
        self.check_supports(modalities)
        if not len(items):
            return np.zeros((0, self.dimension), np.float32)
        vectors: np.ndarray | None = None
        done = 0
        for rows, inputs, frames in self._chunks(items, modalities):
            started = time.perf_counter()
            encoded = self._within_memory(encode, inputs, batch_size, modalities[rows[0]])
            if modalities[rows[0]] == "text" and len(rows) >= CHUNK:
                self._seconds_per_text = (time.perf_counter() - started) / len(rows)
            encoded = normalize(np.asarray(encoded, dtype=np.float32))
            if frames:
                encoded = normalize(encoded.reshape(len(rows), frames, -1).mean(axis=1))
            if vectors is None:
                vectors = np.empty((len(items), encoded.shape[1]), np.float32)
            vectors[rows] = encoded
            done += len(rows)
            if progress is not None:
                progress(done, len(items))
        assert vectors is not None
        return vectors

    def _within_memory(
        self, encode: Callable[..., np.ndarray], inputs: list[Any], wanted: int | None, modality: str
    ) -> np.ndarray:
        """The vectors of a chunk. What memory does not hold at once is halved, and the half is kept to from then on."""
        read = partial(encode, inputs, show_progress_bar=False, convert_to_numpy=True)
        most = self._fitting.get(modality)
        size = min(wanted or self._batch_size(modality), most or len(inputs))
        encoded, fitted = within_memory(lambda size: read(batch_size=size), size)
        if fitted < size:
            self._fitting[modality] = fitted
        return encoded

    def _chunks(self, items: Sequence[Item], modalities: np.ndarray) -> Iterator[tuple[np.ndarray, list[Any], int]]:
        """Rows, decoded inputs and frames an input (0 where an input is one item), one modality at a time.

        The next chunk is decoded in a thread while the model reads this one.
        """
        jobs: list[np.ndarray] = []
        for modality in dict.fromkeys(modalities):
            rows = np.flatnonzero(modalities == modality)
            size = max(8, CHUNK // 8) if "video" in modality else CHUNK
            if modality == "text" and self._seconds_per_text * TEXT_CHUNK < QUICK_SECONDS:
                size = TEXT_CHUNK
            jobs.extend(rows[start : start + size] for start in range(0, len(rows), size))
        with ThreadPoolExecutor(1) as reader:
            waiting = reader.submit(self._decode, items, jobs[0])
            for number, rows in enumerate(jobs):
                inputs, frames = waiting.result()
                if number + 1 < len(jobs):
                    waiting = reader.submit(self._decode, items, jobs[number + 1])
                yield rows, inputs, frames

    def _decode(self, items: Sequence[Item], rows: np.ndarray) -> tuple[list[Any], int]:
        chosen = [items[int(row)] for row in rows]
        if chosen[0].modality == "video" and not self._reads_video_itself:
            pictures = [frame for item in chosen for frame in video_frames(item, self.form)]
            return pictures, len(pictures) // len(chosen)
        return [model_input(item, self.form) for item in chosen], 0

    @property
    def _reads_video_itself(self) -> bool:
        return "video" in self.model.modalities

    def _batch_size(self, modality: str) -> int:
        if self.device == "cpu":
            return 64 if modality == "text" else 32
        return 128 if modality == "text" else 16


def readable_modalities(known: Iterable[Any]) -> tuple[str, ...]:
    """What a Sentence Transformers model reads, in our words.

    `known` is `model.modalities`: names, tuples of names, and `message` for a chat template. A model that reads
    pictures also reads a video, as its frames.
    """
    known = list(known)
    found = [kind for kind in ("text", "image", "audio", "video") if kind in known]
    if "image" in found and "video" not in found:
        found.append("video")
    pairs = [tuple(sorted(kind)) for kind in known if isinstance(kind, tuple)]
    if ("image", "text") in pairs or ("message" in known and "image" in found and "text" in found):
        found.append("text+image")
    return tuple(found)


def in_words(modalities: Iterable[str]) -> str:
    """`pictures and sound` from `image`, `audio`."""
    words = [" with ".join(WORDS[part] for part in modality.split("+")) for modality in modalities]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
