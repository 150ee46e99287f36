"""A collection as Parquet in the layout of MTEB's retrieval tasks, with its media inside.

    README.md            the dataset card; its front matter names the configurations
    corpus/              id, modality, text, image, audio, video, meta    (the columns that hold something)
    queries/             the same
    qrels/train.parquet  query-id, corpus-id, score, source, meta
    qrels/test.parquet   the same, of what is held out
    workbench.json       that this is an export, of what; the words for the two sides, and how it was split

``datasets.load_dataset(folder, "corpus")`` opens it, from a folder and from the Hub.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from workbench.collection.store import SIDES, Card, Collection, item_features

LEFT_OUT, ALWAYS = ("thumbnail",), ("id", "modality")
GROUP_ROWS, GROUP_BYTES = 10_000, 16 << 20
FILE_BYTES = 500 << 20
SPLITS = {"train": "train", "eval": "test"}
Step = Callable[[int], None]


def write_parquet_layout(collection: Collection, folder: Path, step: Step) -> None:
    """Write the tables and the dataset card into an empty folder. step: called with the number of rows just written."""
    for side in SIDES:
        _write_side(collection, side, folder / side, step)
    splits = _write_judgements(collection, folder / "qrels", step)
    (folder / "README.md").write_text(dataset_card(collection.card, splits), encoding="utf-8")


def _write_side(collection: Collection, side: str, folder: Path, step: Step) -> None:
    """One side, in files of at most about FILE_BYTES, each of row groups that fit into memory."""
    import pyarrow.parquet
    from datasets import Features

    folder.mkdir()
    table = collection.side(side).data.table
    kinds = item_features()
    kept = [name for name in kinds if name not in LEFT_OUT and (name in ALWAYS or not _is_empty(table[name]))]
    schema = Features({name: kinds[name] for name in kept}).arrow_schema
    number, writer = 0, None
    try:
        for group in _row_groups(table.select(schema.names)):
            if writer is None:
                path = folder / f"{side}-{number:05d}.parquet"
                writer = pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")
            writer.write_table(group.cast(schema))
            step(len(group))
            if path.stat().st_size >= FILE_BYTES:
                writer.close()
                number, writer = number + 1, None
        if not number and writer is None:
            pyarrow.parquet.write_table(schema.empty_table(), folder / f"{side}-00000.parquet")
    finally:
        if writer is not None:
            writer.close()


def _row_groups(table: Any) -> Iterator[Any]:
    """The table in pieces of at most about GROUP_BYTES, read from the disk one after the other."""
    import pyarrow

    held: list[Any] = []
    for batch in table.to_batches(max_chunksize=GROUP_ROWS):
        held.append(batch)
        if sum(len(one) for one in held) >= GROUP_ROWS or sum(one.nbytes for one in held) >= GROUP_BYTES:
            yield pyarrow.Table.from_batches(held)
            held = []
    if held:
        yield pyarrow.Table.from_batches(held)


def _is_empty(column: Any) -> bool:
    return int(column.null_count) == len(column)


def _write_judgements(collection: Collection, folder: Path, step: Step) -> list[str]:
    """qrels/train.parquet and qrels/test.parquet, those that have rows; returns their names."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet

    table = collection.judgements.data.table
    scores = table["score"]
    whole = pc.all(pc.equal(scores, pc.round(scores)), min_count=0).as_py()
    kind = pa.int32() if whole and not _too_large(scores) else pa.float32()
    written = []
    folder.mkdir()
    for split, name in SPLITS.items():
        rows = table.filter(pc.equal(table["split"], split))
        if not len(rows):
            continue
        columns = {
            "query-id": rows["query"],
            "corpus-id": rows["document"],
            "score": rows["score"].cast(kind),
            "source": rows["source"],
        }
        if "meta" in rows.column_names and not _is_empty(rows["meta"]):
            columns["meta"] = rows["meta"]
        pyarrow.parquet.write_table(pa.table(columns), folder / f"{name}.parquet", compression="zstd")
        step(len(rows))
        written.append(name)
    return written


def _too_large(scores: Any) -> bool:
    import pyarrow.compute as pc

    return len(scores) > 0 and pc.max(pc.abs(scores)).as_py() >= 1 << 31


def dataset_card(card: Card, splits: list[str]) -> str:
    """README.md of the data set: front matter that the Hub and `datasets` read, and what is in it."""
    configs: list[dict[str, Any]] = [
        {"config_name": side, "data_files": [{"split": side, "path": f"{side}/*.parquet"}]} for side in SIDES[::-1]
    ]
    if splits:
        files = [{"split": split, "path": f"qrels/{split}.parquet"} for split in splits]
        configs.append({"config_name": "default", "default": True, "data_files": files})
    modalities = sorted({kind for side in card.modalities.values() for one in side for kind in one.split("+")})
    tags = ["mteb", "retrieval", *(kind for kind in modalities if kind != "text")]
    # JSON is YAML, and leaves no room for a label to become a key.
    front = {"pretty_name": card.name, "tags": tags, "configs": configs}
    lines = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items())
    query, document = (" ".join(card.labels[side].split())[:200] for side in ("query", "document"))
    counts = card.counts
    asked, found = (", ".join(card.modalities[side]) or "none" for side in ("query", "document"))
    return f"""---
{lines}
---

# {card.name}

Given **{query}**, find **{document}**.

| part | rows | holds |
| --- | ---: | --- |
| `queries` | {counts["queries"]:,} | {asked} |
| `corpus` | {counts["documents"]:,} | {found} |
| `default`, split `train` | {counts["train"]:,} | judgements to train on |
| `default`, split `test` | {counts["eval"]:,} | judgements that are held out for the score |

The layout is that of MTEB's retrieval tasks: a judgement names a query (`query-id`) and a document (`corpus-id`) and
says how well they fit (`score`: above 0 is relevant). Pictures, sounds and videos are in the tables themselves.

```python
from datasets import load_dataset

corpus = load_dataset("path/or/USER/NAME", "corpus", split="corpus")
queries = load_dataset("path/or/USER/NAME", "queries", split="queries")
judgements = load_dataset("path/or/USER/NAME", "default", split="train")
```

{card.split.get("sentence", "")}
"""
