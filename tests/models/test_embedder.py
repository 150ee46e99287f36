"""The starter as an embedder: every modality in, unit vectors out."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import png_bytes, wav_bytes
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.models import Embedder, load_embedder
from workbench.models.embedder import readable_modalities
from workbench.workspace import Workspace, open_workspace


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return load_embedder(open_workspace(tmp_path_factory.mktemp("models")), "starter", device="cpu")


def test_vectors_have_unit_length_and_keep_the_order_of_mixed_items(starter: Embedder) -> None:
    items = [
        Item(text="a red heart"),
        Item(image=png_bytes()),
        Item(audio=wav_bytes()),
        Item(text="seven"),
        Item(text="in blue", image=png_bytes()),
    ]
    together = starter.encode_documents(items)
    assert together.shape == (5, starter.dimension)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for number, item in enumerate(items):
        assert np.allclose(starter.encode_documents([item])[0], together[number], atol=1e-5)


def test_text_that_looks_like_a_path_or_an_address_stays_text(starter: Embedder, tmp_path: Path) -> None:
    picture = tmp_path / "secret.png"
    picture.write_bytes(png_bytes())
    as_picture = starter.encode_documents([Item(image=png_bytes())])[0]
    for text in (str(picture), "http://127.0.0.1:9/x.png", "data:image/png;base64,AAAA", "<image>"):
        vector = starter.encode_queries([Item(text=text)])[0]
        assert np.isfinite(vector).all()
        assert float(vector @ as_picture) < 0.999


def test_any_language_gets_a_vector_of_its_own(starter: Embedder) -> None:
    vectors = starter.encode_queries([Item(text=text) for text in ("Łódź", "日本語", "🙂", "", "x" * 5000)])
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors.round(5), axis=0)) == 5


def test_progress_counts_up_to_all_items(starter: Embedder) -> None:
    seen: list[tuple[int, int]] = []
    starter.encode_queries(
        [Item(text=str(n)) for n in range(300)], progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (300, 300)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_no_items_give_no_vectors(starter: Embedder) -> None:
    assert starter.encode_documents([]).shape == (0, starter.dimension)


def test_a_modality_that_a_model_lacks_is_refused_in_words(starter: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Embedder, "modalities", ("text",))
    with pytest.raises(WorkbenchError, match="cannot read pictures and sound; it reads text"):
        starter.check_supports(["image", "audio", "text"])


def test_chat_models_read_text_and_picture_together() -> None:
    assert readable_modalities(["message", "text", "image"]) == ("text", "image", "video", "text+image")
    assert readable_modalities(["text", "audio"]) == ("text", "audio")


def test_a_saved_starter_loads_with_the_plain_library_and_gives_the_same_vectors(
    starter: Embedder, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    starter.model.save_pretrained(str(tmp_path / "copy"))
    copy = SentenceTransformer(str(tmp_path / "copy"), device="cpu")
    texts = [{"text": "a small blue star"}, {"text": "on mint"}]
    assert np.array_equal(copy.encode(texts), starter.model.encode(texts))


def test_a_reranker_is_no_embedder(workspace: Workspace) -> None:
    with pytest.raises(WorkbenchError, match="compares pairs and makes no vectors"):
        load_embedder(workspace, "starter-reranker")


def test_towers_of_different_lengths_are_no_news_for_the_log(starter: Embedder) -> None:
    logger = logging.getLogger(type(starter.model[0]).__module__)
    said = "Different max_seq_lengths detected: {256, 512}. Using the maximum value."
    assert not logger.filter(logging.makeLogRecord({"msg": said}))
    assert logger.filter(logging.makeLogRecord({"msg": "anything else"}))


def test_memory_that_runs_out_halves_the_batch_and_the_half_is_kept_to(
    starter: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    items = [Item(text=f"a red heart {number}") for number in range(20)]
    whole = starter.encode_documents(items)
    forward, sizes = SentenceTransformer.forward, []

    def small(self: SentenceTransformer, features: dict[str, Any], **more: Any) -> Any:
        sizes.append(len(features["input_ids"]))
        if sizes[-1] > 6:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(self, features, **more)

    monkeypatch.setattr(SentenceTransformer, "forward", small)
    narrow = Embedder(starter.model, "starter", "fingerprint")
    np.testing.assert_allclose(narrow.encode_documents(items), whole, atol=1e-5)
    assert sizes[:3] == [20, 10, 5] and max(sizes[3:]) == 5
    sizes.clear()
    narrow.encode_documents(items)
    assert max(sizes) == 5
