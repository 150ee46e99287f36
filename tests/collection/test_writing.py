"""A collection is written item by item and opened by any script."""

from __future__ import annotations

import pytest
from datasets import load_from_disk

from tests import media_makers as make
from workbench.collection import writing
from workbench.collection.store import Collection, Item
from workbench.collection.writing import CollectionWriter


def write(folder, count: int = 10) -> Collection:
    folder.mkdir()
    with CollectionWriter(folder) as writer:
        for number in range(count):
            query = writer.add("queries", Item(text=f"query {number}"))
            document = writer.add("corpus", Item(image=make.picture(colour=(number, 0, 0)), file=f"{number}.png"))
            writer.judge(query, document)
        writer.finish("it", labels={"query": "words", "document": "photo"}, source={})
    return Collection(folder)


def test_what_was_written_is_read_back(tmp_path):
    collection = write(tmp_path / "it")
    assert collection.card.counts == {"queries": 10, "documents": 10, "train": 7, "eval": 3, "wrong": 0}
    assert collection.card.modalities == {"query": ["text"], "document": ["image"]}
    item = collection.item("corpus", 4)
    assert (item.image, item.file, item.modality) == (make.picture(colour=(4, 0, 0)), "4.png", "image")
    assert item.id == Item(image=item.image).content_id()
    judged = collection.judged()
    assert list(judged.queries) == list(judged.documents) == list(range(10))


def test_a_plain_script_sees_media_as_media(tmp_path):
    collection = write(tmp_path / "it")
    features = load_from_disk(str(collection.path / "corpus")).features
    assert [type(features[kind]).__name__ for kind in ("image", "audio", "video")] == ["Image", "Audio", "Video"]


def test_batches_do_not_change_what_is_read(tmp_path, monkeypatch):
    whole = write(tmp_path / "whole")
    monkeypatch.setattr(writing, "BATCH_ROWS", 3)
    parts = write(tmp_path / "parts")
    assert whole.corpus[:] == parts.corpus[:]
    assert whole.fingerprint == parts.fingerprint


def test_large_items_do_not_pile_up_in_memory(tmp_path):
    import pyarrow

    (tmp_path / "big").mkdir()
    before = pyarrow.total_allocated_bytes()
    with CollectionWriter(tmp_path / "big") as writer:
        held = 0
        for number in range(60):
            writer.add("corpus", Item(video=bytes([number]) * (4 << 20)))
            waiting = sum(len(row["video"]["bytes"]) for row in writer._tables["corpus"]._rows)
            held = max(held, waiting + pyarrow.total_allocated_bytes() - before)
        writer.finish("big", labels={}, source={})
    assert len(Collection(tmp_path / "big").corpus) == 60
    assert held < 80 << 20


def test_the_highest_of_several_scores_of_a_pair_stays(tmp_path):
    (tmp_path / "it").mkdir()
    with CollectionWriter(tmp_path / "it") as writer:
        query, document = writer.add("queries", Item(text="q")), writer.add("corpus", Item(text="d"))
        for score in (0.0, 2.0, 1.0):
            writer.judge(query, document, score)
        writer.finish("it", labels={}, source={})
    assert list(Collection(tmp_path / "it").judged().scores) == [2.0]


def test_documents_alone_make_a_collection_that_opens(tmp_path):
    (tmp_path / "it").mkdir()
    with CollectionWriter(tmp_path / "it") as writer:
        writer.add("corpus", Item(text="d"))
        writer.finish("it", labels={}, source={})
    collection = Collection(tmp_path / "it")
    assert (len(collection.queries), len(collection.corpus), len(collection.judged())) == (0, 1, 0)
    assert collection.card.split["sentence"] == "There are documents only: nothing to train on and nothing to score."


def test_an_unknown_id_cannot_be_judged(tmp_path):
    (tmp_path / "it").mkdir()
    with CollectionWriter(tmp_path / "it") as writer, pytest.raises(KeyError):
        writer.judge("nobody", "nothing")
