"""What each query of an evaluation scored and found, so that cells can be compared later, in pairs, and be looked at.

    evaluations/queries/NAME/….npz     of the evaluation that names it; arrays, read one at a time

ids/DIRECTION                        the ids of what was asked, in order
documents/DIRECTION                  the ids of the documents that any model found there
found/MODEL/DIRECTION                (queries, 10) places among those documents: what the model found, the best first
ndcg/MODEL/DIMENSION/PRECISION/DIRECTION     (queries,) NDCG@10
first/MODEL/DIMENSION/PRECISION/DIRECTION    (queries,) rank of the first relevant document, 0 beyond the first 100

MODEL is the model's number in the evaluation. While an evaluation works, each model that is finished has such a file of
its own (`save_scored`), so that only one model's numbers are in memory, and a killed evaluation goes on after it.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.evaluation.held_out import HeldOut
from workbench.evaluation.scoring import Scores

ABOUT = "about"
Arrays = Iterable[tuple[str, np.ndarray]]


class Queries:
    """What the queries of one evaluation scored and found, read from its file when asked for.

    path: the file; models: the references, in the order of the evaluation. Every method raises WorkbenchError if the
    file is not there or has no such entry.
    """

    def __init__(self, path: Path, models: Sequence[str]) -> None:
        self._path = path
        self._numbers = {model: number for number, model in enumerate(models)}

    def ids(self, direction: str = "all") -> list[str]:
        """The ids of what was asked."""
        return _ids(self._read(f"ids/{direction}", f"the direction {direction}"))

    def cell(
        self, model: str, dimension: int, precision: str = "float32", direction: str = "all"
    ) -> tuple[np.ndarray, np.ndarray]:
        """NDCG@10 (queries,) and rank of the first relevant document (queries,), 0 where not among the first 100."""
        wanted = f"“{model}” at {dimension} dimensions, {precision}, {direction}"
        place = f"{self._numbers.get(model, '')}/{dimension}/{precision}/{direction}"
        ndcg, first = (self._read(f"{kind}/{place}", wanted) for kind in ("ndcg", "first"))
        return ndcg.astype(np.float64), first.astype(np.int64)

    def found(self, model: str, direction: str = "all") -> list[list[str]]:
        """For each query the ids of its first 10 documents, by the model at its full size and the first precision."""
        wanted = f"what “{model}” found, {direction}"
        places = self._read(f"found/{self._numbers.get(model, '')}/{direction}", wanted)
        ids = _ids(self._read(f"documents/{direction}", wanted))
        return [[ids[place] for place in row] for row in places.tolist()]

    def _read(self, key: str, wanted: str) -> np.ndarray:
        return _read(self._path, key, wanted)


@dataclass(frozen=True)
class Scored:
    """One model that is finished. rows, described: as the evaluation keeps them; path: the file of its numbers."""

    reference: str
    rows: list[dict[str, Any]]
    described: dict[str, Any]
    path: Path

    def full_size(self, direction: str) -> np.ndarray:
        """NDCG@10 (queries,) at the model's full size and the first precision."""
        dimension, precision = self.rows[0]["dimension"], self.rows[0]["precision"]
        wanted = f"“{self.reference}”, {direction}"
        return _read(self.path, f"ndcg/{dimension}/{precision}/{direction}", wanted).astype(np.float64)


def save_scored(path: Path, scores: Scores, described: dict[str, Any], asked: dict[str, Any]) -> Scored:
    """Keep what one model scored. asked: all that the numbers depend on; the file serves for the same only."""
    about = {"asked": asked, "rows": scores.rows, "described": described}
    write_arrays(path, [(ABOUT, _bytes(json.dumps(about))), *_scored_arrays(scores)])
    return Scored(described["reference"], scores.rows, described, path)


def load_scored(path: Path, asked: dict[str, Any]) -> Scored | None:
    """What was kept of a model, if it is whole and was asked the same."""
    try:
        about = json.loads(_read(path, ABOUT, "a finished model").tobytes())
    except (WorkbenchError, ValueError):
        return None
    if about.get("asked") != json.loads(json.dumps(asked)):
        return None
    return Scored(about["described"]["reference"], about["rows"], about["described"], path)


def gathered(scored: Sequence[Scored], held: HeldOut, ids: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of an evaluation from those of its models. ids: of all rows, by side (`queries`, `corpus`)."""
    for name, direction in held.directions.items():
        yield f"ids/{name}", _joined(ids[direction.source_side][direction.source_rows])
        found = [_read(one.path, f"found/{name}", one.reference) for one in scored]
        places = np.unique(np.concatenate([one.ravel() for one in found]))
        yield f"documents/{name}", _joined(ids[direction.target_side][direction.target_rows[places]])
        for number, one in enumerate(found):
            yield f"found/{number}/{name}", np.searchsorted(places, one).astype(np.uint32)
    for number, model in enumerate(scored):
        with np.load(model.path, allow_pickle=False) as file:
            for key in file.files:
                kind, _, place = key.partition("/")
                if kind in ("ndcg", "first"):
                    yield f"{kind}/{number}/{place}", file[key]


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write an .npz, one array in memory at a time, and give it its name when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays:
            with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    with open(part, "rb") as written:
        os.fsync(written.fileno())
    part.replace(path)


def _scored_arrays(scores: Scores) -> Iterator[tuple[str, np.ndarray]]:
    for (dimension, precision, direction), values in scores.per_query.items():
        place = f"{dimension}/{precision}/{direction}"
        yield f"ndcg/{place}", values["ndcg@10"].astype(np.float32)
        yield f"first/{place}", scores.first_ranks[dimension, precision, direction].astype(np.uint8)
    for direction, places in scores.found.items():
        yield f"found/{direction}", places.astype(np.uint32)


def _read(path: Path, key: str, wanted: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as file:
            array: np.ndarray = file[key]
            return array
    except KeyError:
        raise WorkbenchError(f"The evaluation has no {wanted}.") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        raise WorkbenchError(
            "The numbers of each query of this evaluation cannot be read. Remove it, then evaluate again."
        ) from None


def _joined(ids: np.ndarray) -> np.ndarray:
    """Ids as bytes, a line each: arrays of strings would take the longest id's space for every one."""
    return _bytes("\n".join(ids.tolist()))


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _ids(joined: np.ndarray) -> list[str]:
    text = joined.tobytes().decode()
    return text.split("\n") if text else []
