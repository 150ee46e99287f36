from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from workbench.collection.editing import undo
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.doctor.check import check_collection
from workbench.doctor.examined import Examined
from workbench.doctor.fixes import fix
from workbench.doctor.with_model import find_hubs, find_truncated_texts, hub_limit
from workbench.models.vectors import normalize
from workbench.workspace import Workspace, new_folder


class _Words:
    """An embedder whose vectors are sums of random words, and whose tokenizer splits at spaces."""

    reference, fingerprint, dimension, dimensions = "words", "words", 64, (64,)

    class model:
        max_seq_length = 12
        prompts: ClassVar[dict[str, str]] = {"query": "find: ", "document": ""}

        @staticmethod
        def tokenizer(texts: list[str], **_: Any) -> dict[str, list[list[int]]]:
            return {"input_ids": [[1, *range(len(text.split())), 2] for text in texts]}

    def encode_queries(self, items: Sequence[Item], **_: Any) -> np.ndarray:
        return normalize(np.stack([sum(map(_word, str(item.text).split())) for item in items]).astype(np.float32))

    encode_documents = encode_queries


def _word(word: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
    return np.random.default_rng(seed).normal(0, 1, 64)


def _texts(workspace: Workspace, count: int, more: Sequence[Item] = (), name: str = "c") -> Collection:
    """Queries for three words, each answered by a document that has two of them; `more` documents answer nothing."""
    generator = np.random.default_rng(0)
    with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
        for number in range(count):
            words = [f"w{word}" for word in generator.integers(0, 80, 3)]
            query = writer.add("queries", Item(text=" ".join(["how", "do", *words, f"q{number}"]), id=f"q{number}"))
            document = Item(text=" ".join([*words[:2], f"d{number}"]), id=f"d{number}")
            writer.judge(query, writer.add("corpus", document))
        for item in more:
            writer.add("corpus", item)
        writer.finish(name, labels={"query": "question", "document": "text"}, source={"kind": "test"})
    return open_collection(workspace, name)


def test_without_a_model_nothing_is_said(workspace: Workspace) -> None:
    examined = Examined(_texts(workspace, 60))
    assert not [*find_truncated_texts(examined), *find_hubs(examined)]


def test_a_clean_collection_has_nothing_to_report(workspace: Workspace) -> None:
    examined = Examined(_texts(workspace, 600), _Words())
    assert not [*find_truncated_texts(examined), *find_hubs(examined)]


def test_a_document_stuffed_with_what_all_queries_share_is_a_hub(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuffed = Item(text="how do " + " ".join(f"w{word}" for word in range(0, 80, 40)), id="stuffed")
    collection = _texts(workspace, 600, [stuffed])
    (finding,) = find_hubs(Examined(collection, _Words()))
    assert (finding.kind, finding.groups) == ("hub", [["stuffed"]])
    assert finding.detail["occurrences"][0] > 5 * finding.detail["expected"]

    monkeypatch.setattr("workbench.models.load.load_embedder", lambda *_, **__: _Words())
    check_collection(workspace, "c", "words")
    fix(workspace, "c", "hub")
    assert not list(find_hubs(Examined(open_collection(workspace, "c"), _Words())))
    undo(workspace, "c")
    assert "stuffed" in open_collection(workspace, "c").document_rows


def test_a_document_that_answers_many_queries_is_no_hub(workspace: Workspace) -> None:
    with new_folder(workspace.collection("c")) as folder, CollectionWriter(folder) as writer:
        label = writer.add("corpus", Item(text="common", id="label"))
        for number in range(400):
            query = writer.add("queries", Item(text=f"common q{number}"))
            writer.judge(query, label if number % 2 else writer.add("corpus", Item(text=f"q{number} d{number}")))
        writer.finish("c", labels={"query": "q", "document": "d"}, source={"kind": "test"})
    examined = Examined(open_collection(workspace, "c"), _Words())
    judged = {group[0] for finding in find_hubs(examined) for group in finding.groups}
    assert judged <= {"label"}  # the half that it does not answer may still call it one
    counts = np.zeros(200, int)
    assert hub_limit(counts, 400, 10) > 0.05 * 400


def test_few_documents_are_no_choice(workspace: Workspace) -> None:
    assert not list(find_hubs(Examined(_texts(workspace, 40), _Words())))


def test_nothing_is_embedded_where_there_are_too_few_to_compare(workspace: Workspace) -> None:
    class Unasked(_Words):
        def encode_queries(self, items: Sequence[Item], **_: Any) -> np.ndarray:
            raise AssertionError("no vector is needed")

        encode_documents = encode_queries

    more = [Item(text=f"w{number} alone") for number in range(100)]
    assert not list(find_hubs(Examined(_texts(workspace, 40, more), Unasked())))


def test_texts_that_the_model_would_cut_are_counted_with_their_prompt(workspace: Workspace) -> None:
    # 12 tokens: two marks and ten words; the prompt of a query takes one of them.
    more = [Item(text=" ".join(f"x{n}" for n in range(words)), id=f"long{words}") for words in (10, 11, 40)]
    collection = _texts(workspace, 60, more)
    (finding,) = find_truncated_texts(Examined(collection, _Words()))
    assert (finding.side, finding.severity) == ("corpus", "note")
    assert finding.groups == [["long40"], ["long11"]]
    assert finding.detail["longest_tokens"] == 42
    assert finding.detail["share"] == pytest.approx(2 / 63, abs=1e-4)


def test_many_cut_texts_hurt(workspace: Workspace) -> None:
    with new_folder(workspace.collection("c")) as folder, CollectionWriter(folder) as writer:
        for number in range(20):
            text = " ".join(f"y{number + n}" for n in range(10 if number % 2 else 4))
            writer.judge(writer.add("queries", Item(text=text, id=f"q{number}")), writer.add("corpus", Item(text="d")))
        writer.finish("c", labels={"query": "q", "document": "d"}, source={"kind": "test"})
    (finding,) = find_truncated_texts(Examined(open_collection(workspace, "c"), _Words()))
    assert (finding.side, finding.severity, finding.count) == ("queries", "hurts", 10)
