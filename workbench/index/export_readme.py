"""The README.md beside an exported index: what the files hold, and how four databases load them.

Each loader is a whole script: the tests run them as they stand here, with the databases' own local clients.
"""

from __future__ import annotations

from workbench.index.registry import IndexCard

QDRANT = """\
import json
import uuid

import pyarrow.parquet as pq
from qdrant_client import QdrantClient, models

about = json.load(open("index.json"))
client = QdrantClient(":memory:")  # or url="http://localhost:6333"
size = models.VectorParams(size=about["dimension"], distance=models.Distance.COSINE)
client.create_collection(about["index"], vectors_config=size)
for batch in pq.ParquetFile("vectors.parquet").iter_batches(1000):
    points = []
    for row in batch.to_pylist():
        vector, metadata = row.pop("vector"), json.loads(row.pop("metadata") or "{}")
        # An id there is a number or a UUID: this one is always the same for the same id.
        point = str(uuid.uuid5(uuid.NAMESPACE_URL, row["id"]))
        points.append(models.PointStruct(id=point, vector=vector, payload={**row, "metadata": metadata}))
    client.upsert(about["index"], points)
"""
MILVUS = """\
import json

import pyarrow.parquet as pq
from pymilvus import MilvusClient

about = json.load(open("index.json"))
name = about["index"].replace("-", "_").replace(".", "_")  # letters, digits and underscores only
client = MilvusClient("index.db")  # a file, with milvus-lite; or uri="http://localhost:19530"
client.create_collection(
    name, about["dimension"], id_type="string", max_length=64, metric_type="COSINE", vector_field_name="vector"
)
for batch in pq.ParquetFile("vectors.parquet").iter_batches(1000):
    rows = batch.to_pylist()
    for row in rows:
        row["metadata"] = json.loads(row["metadata"] or "{}")
    client.insert(name, rows)
"""
WEAVIATE = """\
import json
import re

import pyarrow.parquet as pq
import weaviate
from weaviate.classes.config import Configure, DataType, Property, VectorDistances
from weaviate.util import generate_uuid5

about = json.load(open("index.json"))
name = "I" + re.sub("[^a-z0-9]", "_", about["index"])  # begins with a capital; letters, digits and underscores only
cosine = Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
with weaviate.connect_to_local() as client:
    collection = client.collections.create(
        name,
        vector_config=Configure.Vectors.self_provided(vector_index_config=cosine),
        # “id” is a word of its own there.
        properties=[Property(name=one, data_type=DataType.TEXT)
                    for one in ("item", "text", "file", "modality", "metadata")],
    )
    with collection.batch.fixed_size(batch_size=200) as batch:
        for group in pq.ParquetFile("vectors.parquet").iter_batches(1000):
            for row in group.to_pylist():
                vector, row["item"] = row.pop("vector"), row.pop("id")
                row["metadata"] = row["metadata"] or "{}"
                batch.add_object(properties=row, uuid=generate_uuid5(row["item"]), vector=vector)
    print(collection.batch.failed_objects)
"""
PINECONE = """\
import json
import os

import pyarrow.parquet as pq
from pinecone import Pinecone, ServerlessSpec

about = json.load(open("index.json"))
name = about["index"].replace("_", "-").replace(".", "-")[:45]  # small letters, digits and dashes only
client = Pinecone(api_key=os.environ["PINECONE_API_KEY"])
place = ServerlessSpec(cloud="aws", region="us-east-1")
client.create_index(name=name, dimension=about["dimension"], metric="cosine", spec=place)
index = client.Index(name)
for batch in pq.ParquetFile("vectors.parquet").iter_batches(100):
    vectors = []
    for row in batch.to_pylist():
        # Metadata there is texts, numbers, yes or no, and lists of texts, at most 40 kB together.
        metadata = {key: value for key, value in json.loads(row["metadata"] or "{}").items()
                    if isinstance(value, (str, int, float, bool))}
        metadata |= {"text": row["text"][:8000], "file": row["file"], "modality": row["modality"]}
        vectors.append({"id": row["id"], "values": row["vector"], "metadata": metadata})
    index.upsert(vectors=vectors)
"""
LOADERS = {"Qdrant": QDRANT, "Milvus": MILVUS, "Weaviate": WEAVIATE, "Pinecone": PINECONE}
ABOUT = """\
# {index}

{rows:,} documents of “{collection}” as vectors of {dimension} numbers, read by the model `{model}`.

- `vectors.parquet`: `id`, `vector` ({dimension} × float32, of unit length{rounded}), `text`, `file`, `modality`, and
  `metadata`, an object written as JSON, or null.
- `index.json`: the same facts for programs, with the model's fingerprint.

Compare by cosine; as every vector has the length one, the dot product gives the same order. A query must be read by
the same model, cut to the same {dimension} numbers and brought to the length one. Media are not in here: `file` is the
name that a picture, sound or video was brought under, and `id` follows from its content.

The scripts below run in this folder. They need `pip install pyarrow` and the client of the database.
"""


def readme(card: IndexCard, rows: int) -> str:
    """The README.md of an export of so many rows."""
    about = ABOUT.format(
        index=card.name,
        rows=rows,
        collection=card.collection,
        dimension=card.dimension,
        model=card.model,
        rounded="" if card.precision != "float16" else f", as they were kept: rounded to {card.precision}",
    )
    return about + "".join(f"\n## {name}\n\n```python\n{script}```\n" for name, script in LOADERS.items())
