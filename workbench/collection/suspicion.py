"""How suspicious a mined negative is: how likely it is to be a right answer that nobody marked."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.collection.store import Collection

SAID = ("similarity", "positive_similarity", "reranker_score", "positive_reranker_score")


@dataclass(frozen=True)
class Candidate:
    """A mined negative: its document, how similar the model found it (cosine), and why it is suspicious, in words.

    suspicion: from 0 to 1, 1 being as near to the query as its right document.
    """

    document: str
    similarity: float
    reason: str
    suspicion: float


@dataclass(frozen=True)
class MinedTable:
    """The mined judgements of a collection (query, document), and in parallel what mining said of them (NaN: nothing).

    said: similarity, positive_similarity, reranker_score, positive_reranker_score. suspicion: from 0 to 1.
    """

    table: Any
    said: dict[str, np.ndarray]
    suspicion: np.ndarray

    def pair(self, place: int) -> tuple[str, str]:
        """The query id and the document id of one of them."""
        return self.table["query"][place].as_py(), self.table["document"][place].as_py()

    def of_queries(self, queries: list[str]) -> list[int]:
        """The places of all that belong to these queries, the most suspicious first."""
        import pyarrow as pa
        import pyarrow.compute as pc

        places = np.flatnonzero(np.asarray(pc.is_in(self.table["query"], pa.array(queries, pa.string()))))
        return places[np.argsort(-self.suspicion[places], kind="stable")].tolist()

    def candidate(self, place: int) -> Candidate:
        """One of them in words."""
        similarity, positive, score, other = (float(self.said[name][place]) for name in SAID)
        reason = f"Similarity {similarity:.2f}, the right one {positive:.2f}." if similarity == similarity else ""
        if score == score:
            reason += f" The reranker gives it {score:.2f}, the right one {other:.2f}."
        return Candidate(self.pair(place)[1], similarity, reason.strip(), round(float(self.suspicion[place]), 4))


def read_mined(collection: Collection) -> MinedTable:
    """Read the mined judgements and what mining wrote of them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.json

    table = collection.judgements.data.table
    table = table.filter(pc.equal(table["source"], "mined")).combine_chunks()
    said = {name: np.full(len(table), np.nan) for name in SAID}
    if len(table) and "meta" in table.column_names:
        lines = "\n".join(pc.fill_null(table["meta"], "{}").to_pylist()).encode()
        # Several times as fast as json.loads line by line, and a review reads all of them at every step.
        options = pyarrow.json.ParseOptions(
            explicit_schema=pa.schema([(name, pa.float64()) for name in SAID]), unexpected_field_behavior="ignore"
        )
        parsed = pyarrow.json.read_json(io.BytesIO(lines), parse_options=options)
        said = {name: np.asarray(parsed[name].to_numpy(), np.float64) for name in SAID}
    return MinedTable(table.select(["query", "document"]), said, suspicion(said))


def suspicion(said: dict[str, np.ndarray]) -> np.ndarray:
    """From 0 to 1: the similarity relative to the right document's, and how little a reranker puts it behind that one.

    Rerankers have no common scale, so the distance is measured in standard deviations of all such distances.
    """
    positive = np.maximum(np.abs(said["positive_similarity"]), 1e-6)
    near = np.clip(np.nan_to_num(said["similarity"] / positive), 0.0, 1.0)
    behind = said["reranker_score"] - said["positive_reranker_score"]
    judged = np.isfinite(behind)
    if not judged.any():
        return near
    spread = max(float(np.std(behind[judged])), 1e-9)
    second = np.exp(np.minimum(np.where(judged, behind, 0.0), 0.0) / spread)
    return np.where(judged, (near + second) / 2, near)
