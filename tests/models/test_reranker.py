"""Rerankers: a query and documents in, scores out, whatever the kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import png_bytes, wav_bytes
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.models import Reranker, load_embedder, load_reranker
from workbench.models.reranker import late_interaction_from
from workbench.workspace import Workspace

DOCUMENTS = [
    Item(text="a red heart"),
    Item(image=png_bytes()),
    Item(text="a blue star"),
    Item(image=png_bytes((0, 0, 9))),
]


@pytest.fixture(params=["reranker", "late-interaction"])
def reranker(request: pytest.FixtureRequest, workspace: Workspace) -> Reranker:
    if request.param == "reranker":
        return load_reranker(workspace, "starter-reranker", device="cpu")
    embedder = load_embedder(workspace, "starter", device="cpu")
    return Reranker(late_interaction_from(embedder.model, "cpu"), "late", "fingerprint")


def test_scores_do_not_depend_on_the_company_a_document_keeps(reranker: Reranker) -> None:
    query = Item(text="heart")
    together = reranker.score(query, DOCUMENTS)
    assert together.shape == (4,) and together.dtype == np.float32
    alone = np.concatenate([reranker.score(query, [document]) for document in DOCUMENTS])
    assert np.allclose(together, alone, atol=1e-4)


def test_no_documents_give_no_scores(reranker: Reranker) -> None:
    assert reranker.score(Item(text="heart"), []).shape == (0,)


def test_sound_is_refused_in_words_by_a_model_without_ears(reranker: Reranker) -> None:
    with pytest.raises(WorkbenchError, match="cannot read sound"):
        reranker.score(Item(text="heart"), [Item(audio=wav_bytes())])


def test_it_reloads_with_the_plain_library_and_gives_the_same_scores(reranker: Reranker, tmp_path: Path) -> None:
    reranker.model.save_pretrained(str(tmp_path / "copy"))
    copy = Reranker(type(reranker.model)(str(tmp_path / "copy"), device="cpu"), "copy", "fingerprint")
    query = Item(text="heart")
    assert copy.kind == reranker.kind
    assert np.array_equal(copy.score(query, DOCUMENTS), reranker.score(query, DOCUMENTS))


def test_kept_tokens_of_a_document_give_the_same_score(workspace: Workspace) -> None:
    embedder = load_embedder(workspace, "starter", device="cpu")
    reranker = Reranker(late_interaction_from(embedder.model, "cpu"), "late", "fingerprint")
    named = [Item(text="a red heart", id="one"), Item(text="a blue star", id="two")]
    first = reranker.score(Item(text="heart"), named)
    assert np.array_equal(first, reranker.score(Item(text="heart"), named))
    assert list(reranker._tokens) == ["one", "two"]


def test_an_embedder_is_no_reranker(workspace: Workspace) -> None:
    with pytest.raises(WorkbenchError, match="is an embedder and cannot rerank"):
        load_reranker(workspace, "starter")


def test_memory_that_runs_out_halves_the_batch(reranker: Reranker, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    documents = [Item(text=f"a red heart {number}") for number in range(9)]
    whole = reranker.score(Item(text="heart"), documents)
    kind, sizes = type(reranker.model), []
    forward = kind.forward

    def small(self: Any, features: dict[str, Any], **more: Any) -> Any:
        sizes.append(len(features["input_ids"]))
        if sizes[-1] > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(self, features, **more)

    monkeypatch.setattr(kind, "forward", small)
    narrow = Reranker(reranker.model, "narrow", "fingerprint")
    np.testing.assert_allclose(narrow.score(Item(text="heart"), documents), whole, atol=1e-4)
    assert max(sizes) == 9 and max(sizes[-3:]) <= 2
