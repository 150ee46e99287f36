"""An index that is taken away: what its files hold, and that four databases load it as its README says."""

from __future__ import annotations

import json
import re
import sys
import uuid
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.conftest import png_bytes
from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench import cli
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index import export, reading, table
from workbench.index.build import build_index
from workbench.index.export import export_index
from workbench.index.registry import get_index
from workbench.workspace import Workspace

AWKWARD = Item(text='quotes " and ” and \n a line', meta={"year": 1999, "tags": ["a", "b"], "deep": {"x": None}})
PICTURE = Item(image=png_bytes(), file="cat's picture.png", meta={"year": 2001})


@pytest.fixture
def folder(workspace: Workspace, toy: ToyEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The exported index of 38 texts, an awkward one and a picture, in row groups of 16."""
    monkeypatch.setattr(table, "SCAN_ROWS", 8)
    monkeypatch.setattr(reading, "SLICE_BYTES", 8 * 4 * 32)
    monkeypatch.setattr(export, "GROUP_ROWS", 16)
    make_collection(workspace, "my-words", [*texts(38), AWKWARD, PICTURE])
    build_index(workspace, "my-words.1", "my-words", "toy", embedder=toy)
    export_index(workspace, "my-words.1", tmp_path / "away")
    return tmp_path / "away"


def run_readme(folder: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the script that the README gives for a database, in the folder; the names it leaves."""
    found = re.search(rf"## {database}\n\n```python\n(.*?)```", (folder / "README.md").read_text(), re.S)
    assert found is not None
    monkeypatch.chdir(folder)
    left: dict[str, Any] = {}
    exec(compile(found[1], f"README.md, {database}", "exec"), left)
    return left


def module(monkeypatch: pytest.MonkeyPatch, name: str, **holds: Any) -> None:
    """Put a module in the place of a database's client."""
    made = ModuleType(name)
    vars(made).update(holds)
    monkeypatch.setitem(sys.modules, name, made)


def test_every_row_is_there_in_several_row_groups(workspace: Workspace, toy: ToyEmbedder, folder: Path) -> None:
    file = pq.ParquetFile(folder / "vectors.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [16, 16, 8]
    rows = {row["id"]: row for row in file.read().to_pylist()}
    assert len(rows) == 40
    expected = {item.content_id(): toy.vector(item) for item in [*texts(38), AWKWARD, PICTURE]}
    for identifier, vector in expected.items():
        assert np.array_equal(np.array(rows[identifier]["vector"], np.float32), vector)
    awkward, picture = rows[AWKWARD.content_id()], rows[PICTURE.content_id()]
    assert awkward["text"] == AWKWARD.text and json.loads(awkward["metadata"]) == AWKWARD.meta
    assert (picture["file"], picture["modality"], picture["text"]) == ("cat's picture.png", "image", "")
    assert rows[texts(1)[0].content_id()]["metadata"] is None


def test_the_json_beside_it_says_what_a_reader_must_know(workspace: Workspace, folder: Path) -> None:
    about = json.loads((folder / "index.json").read_text())
    card = get_index(workspace, "my-words.1")
    told = {"rows": 40, "dimension": 32, "metric": "cosine", "unit_length": True, "precision": "float32"}
    assert told.items() <= about.items()
    assert (about["model"], about["model_fingerprint"], about["modalities"]) == (
        "toy",
        "toy-1",
        {"image": 1, "text": 39},
    )
    assert about["collection_fingerprint"] == card.collection_fingerprint


def test_half_precision_is_written_as_numbers_that_every_reader_knows(
    workspace: Workspace, toy: ToyEmbedder, tmp_path: Path
) -> None:
    make_collection(workspace, "half", texts(5))
    build_index(workspace, "half", "half", "toy", embedder=toy, precision="float16", dimension=8)
    export_index(workspace, "half", tmp_path / "away")
    file = pq.ParquetFile(tmp_path / "away" / "vectors.parquet")
    assert str(file.schema_arrow.field("vector").type.value_type) == "float"
    assert file.schema_arrow.field("vector").type.list_size == 8
    assert json.loads((tmp_path / "away" / "index.json").read_text())["precision"] == "float16"
    assert "rounded to float16" in (tmp_path / "away" / "README.md").read_text()


def test_qdrants_own_client_loads_and_searches_it(
    toy: ToyEmbedder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("qdrant_client", reason="pip install -r tests/requirements.txt")
    left = run_readme(folder, "Qdrant", monkeypatch)
    client, name = left["client"], left["about"]["index"]
    assert client.count(name).count == 40
    for asked in (AWKWARD, PICTURE):
        first = client.query_points(name, query=toy.vector(asked).tolist(), limit=3).points[0]
        assert first.score == pytest.approx(1.0, abs=1e-5)
        assert first.id == str(uuid.uuid5(uuid.NAMESPACE_URL, asked.content_id()))
        assert first.payload["id"] == asked.content_id() and first.payload["metadata"] == asked.meta


def test_milvus_gets_rows_as_it_documents_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A primary key of text no longer than it was declared, the vector as a list, other fields beside them."""
    inserted: list[dict[str, Any]] = []

    class MilvusClient:
        def __init__(self, uri: str) -> None:
            assert uri

        def create_collection(self, name: str, dimension: int, **options: Any) -> None:
            assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and dimension == 32
            assert options["id_type"] == "string" and options["metric_type"] == "COSINE"
            self.longest, self.vector = options["max_length"], options["vector_field_name"]

        def insert(self, name: str, data: list[dict[str, Any]]) -> None:
            for row in data:
                assert 0 < len(row["id"]) <= self.longest and len(row[self.vector]) == 32
            inserted.extend(data)

    module(monkeypatch, "pymilvus", MilvusClient=MilvusClient)
    run_readme(folder, "Milvus", monkeypatch)
    assert len(inserted) == 40
    assert next(row["metadata"] for row in inserted if row["id"] == AWKWARD.content_id()) == AWKWARD.meta


def test_pinecone_gets_vectors_as_it_documents_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`id`, `values`, and flat metadata of texts, numbers, booleans and lists of texts."""
    upserted: list[dict[str, Any]] = []

    class Index:
        def upsert(self, vectors: list[dict[str, Any]]) -> None:
            assert len(vectors) <= 1000
            for one in vectors:
                assert one.keys() == {"id", "values", "metadata"} and len(one["values"]) == 32
                assert all(isinstance(value, (str, int, float, bool)) for value in one["metadata"].values())
            upserted.extend(vectors)

    class Pinecone:
        def __init__(self, api_key: str) -> None:
            assert api_key == "secret"

        def create_index(self, name: str, dimension: int, metric: str, spec: Any) -> None:
            assert re.fullmatch(r"[a-z0-9-]{1,45}", name) and (dimension, metric) == (32, "cosine")

        def Index(self, name: str) -> Index:
            return Index()

    monkeypatch.setenv("PINECONE_API_KEY", "secret")
    module(monkeypatch, "pinecone", Pinecone=Pinecone, ServerlessSpec=dict)
    run_readme(folder, "Pinecone", monkeypatch)
    assert len(upserted) == 40
    awkward = next(one["metadata"] for one in upserted if one["id"] == AWKWARD.content_id())
    assert awkward["year"] == 1999 and awkward["text"] == AWKWARD.text and "deep" not in awkward


def test_weaviate_gets_objects_as_it_documents_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that begins with a capital, properties of declared names that are texts, a UUID, the vector beside."""
    added: list[dict[str, Any]] = []
    declared: list[str] = []

    class Batch:
        def __enter__(self) -> Batch:
            return self

        def __exit__(self, *_: Any) -> None:
            pass

        def fixed_size(self, batch_size: int) -> Batch:
            return self

        failed_objects: ClassVar[list[Any]] = []

        def add_object(self, properties: dict[str, Any], uuid: str, vector: list[float]) -> None:
            assert set(properties) <= set(declared) and "id" not in properties and len(vector) == 32
            assert all(isinstance(value, str) for value in properties.values())
            added.append({**properties, "uuid": uuid})

    class Client(Batch):
        @property
        def collections(self) -> Client:
            return self

        def create(self, name: str, vector_config: Any, properties: list[dict[str, Any]]) -> Any:
            assert re.fullmatch(r"[A-Z][_0-9A-Za-z]*", name) and vector_config == {"hnsw": "cosine"}
            declared.extend(one["name"] for one in properties)
            return SimpleNamespace(batch=Batch())

    configure = SimpleNamespace(
        VectorIndex=SimpleNamespace(hnsw=lambda distance_metric: {"hnsw": distance_metric}),
        Vectors=SimpleNamespace(self_provided=lambda vector_index_config: vector_index_config),
    )
    module(monkeypatch, "weaviate", connect_to_local=Client)
    module(monkeypatch, "weaviate.classes")
    enums = {"DataType": SimpleNamespace(TEXT="text"), "VectorDistances": SimpleNamespace(COSINE="cosine")}
    module(monkeypatch, "weaviate.classes.config", Configure=configure, Property=dict, **enums)
    module(monkeypatch, "weaviate.util", generate_uuid5=lambda of: str(uuid.uuid5(uuid.NAMESPACE_DNS, of)))
    run_readme(folder, "Weaviate", monkeypatch)
    assert len({one["uuid"] for one in added}) == 40
    awkward = next(one for one in added if one["item"] == AWKWARD.content_id())
    assert json.loads(awkward["metadata"]) == AWKWARD.meta and awkward["text"] == AWKWARD.text


def test_an_export_is_there_whole_or_not_at_all(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WorkbenchError, match="already something named “away”"):
        export_index(workspace, "my-words.1", folder)

    def stop(done: int, total: int, note: str) -> None:
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_index(workspace, "my-words.1", folder.parent / "other", progress=stop)
    assert [path.name for path in folder.parent.iterdir() if "other" in path.name] == []
    table.drop_table(workspace, get_index(workspace, "my-words.1").table)
    with pytest.raises(WorkbenchError, match="are gone from"):
        export_index(workspace, "my-words.1", folder.parent / "other")
    assert not (folder.parent / "other").exists()


def test_the_command_says_where_it_is(workspace: Workspace, folder: Path) -> None:
    words = ["index", "export", "my-words.1", "--to", str(folder / "again"), "--workspace", str(workspace.root)]
    told = CliRunner().invoke(cli.app, [*words, "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert (found["rows"], found["folder"]) == (40, str(folder / "again")) and (
        folder / "again" / "index.json"
    ).exists()
