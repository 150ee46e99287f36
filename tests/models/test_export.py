"""A model taken away: plain Sentence Transformers loads it, at the size that was chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.models import hub_layouts as hub
from workbench import models
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.models.export import export_model
from workbench.models.vectors import truncate
from workbench.workspace import Workspace

TEXTS = ["a red lamp", "two boats in the harbour", "naïve 漢字"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("base") / "model"
    hub.text_embedder(folder, "Bert", pooling="mean")
    return str(folder)


def test_the_plain_library_gives_vectors_of_the_chosen_size(workspace: Workspace, base: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    whole = SentenceTransformer(base).encode(TEXTS, normalize_embeddings=True)
    size = whole.shape[1] // 2
    told = export_model(workspace, base, tmp_path / "small", size)
    assert (told["kind"], told["dimension"]) == ("embedder", size) and told["bytes"] > 0
    plain = SentenceTransformer(str(tmp_path / "small")).encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(plain, truncate(whole, size), atol=1e-6)
    assert f"cut to the first {size} numbers" in (tmp_path / "small" / "README.md").read_text()


def test_what_was_taken_away_is_read_here_alike(workspace: Workspace, base: str, tmp_path: Path) -> None:
    items = [Item(text=text) for text in TEXTS]
    own = models.load_embedder(workspace, base)
    export_model(workspace, base, tmp_path / "small", 8)
    small = models.load_embedder(workspace, str(tmp_path / "small"))
    assert small.dimension == 8
    np.testing.assert_allclose(small.encode_queries(items), truncate(own.encode_queries(items), 8), atol=1e-6)
    assert small.fingerprint != own.fingerprint


def test_without_a_size_it_is_the_same_model(workspace: Workspace, base: str, tmp_path: Path) -> None:
    export_model(workspace, base, tmp_path / "whole")
    own, copy = (models.load_embedder(workspace, str(path)) for path in (base, tmp_path / "whole"))
    assert own.fingerprint == copy.fingerprint


def test_what_cannot_be_is_told_and_nothing_is_written(workspace: Workspace, base: str, tmp_path: Path) -> None:
    reranker = str(tmp_path / "reranker")
    hub.cross_encoder(Path(reranker))
    for reference, size, words in (
        (base, 100_000, "dimensions. Choose a whole number"),
        (reranker, 8, "no size to choose"),
        ("starter-reranker", None, "no files of its own"),
        ("run:nobody", None, "no run named"),
    ):
        with pytest.raises(WorkbenchError, match=words):
            export_model(workspace, reference, tmp_path / "none", size)
    assert not (tmp_path / "none").exists()
    (tmp_path / "taken").mkdir()
    with pytest.raises(WorkbenchError, match="already something named"):
        export_model(workspace, base, tmp_path / "taken")
