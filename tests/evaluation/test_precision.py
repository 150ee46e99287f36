from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import WorkbenchError
from workbench.evaluation.precision import check_precisions, disk_bytes, int8_coder, vector_bytes
from workbench.evaluation.ranking import top_documents
from workbench.models.vectors import truncate


def unit(count: int, dimension: int, seed: int, offset: float = 0.0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)) + offset
    return truncate(vectors.astype(np.float32), dimension)


def test_int8_ranks_as_the_cosine_does_even_where_raw_codes_would_not():
    """Vectors with a common offset, as real models give them: raw min-max codes are no cosine."""
    queries, documents = unit(40, 64, 1, offset=1.0), unit(2000, 64, 2, offset=1.0)
    exact, _ = top_documents(queries, documents, 64, top=10)
    coded, scores = top_documents(queries, documents, 64, "int8", top=10)
    shared = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), coded.tolist(), strict=True)])
    assert shared > 0.9
    assert np.allclose(scores, (queries @ documents.T)[np.arange(40)[:, None], coded], atol=0.05)


def test_int8_ranges_come_from_the_whole_corpus_and_bind_the_queries():
    corpus = np.array([[0.0, 1.0], [1.0, 3.0]], np.float32)
    code = int8_coder(iter([corpus[:1], corpus[1:]]))
    inside = code(np.array([[0.5, 2.0]], np.float32))
    beyond = code(np.array([[9.0, -9.0]], np.float32))
    assert np.allclose(inside, truncate(np.array([[0.5, 2.0]], np.float32), 2), atol=0.01)
    assert np.allclose(beyond, truncate(np.array([[1.0, 1.0]], np.float32), 2), atol=1e-6)


def test_a_component_that_never_changes_does_no_harm():
    corpus = np.array([[0.5, 1.0], [0.5, -1.0]], np.float32)
    assert np.isfinite(int8_coder([corpus])(corpus)).all()


def test_binary_is_scored_by_hamming_distance_with_ties_by_position():
    queries, documents = unit(5, 16, 3), unit(3000, 16, 4)
    positions, scores = top_documents(queries, documents, 16, "binary", top=20)
    bits = [np.packbits(vectors > 0, axis=1) for vectors in (queries, documents)]
    for query in range(5):
        distance = np.unpackbits(bits[0][query] ^ bits[1], axis=1).sum(axis=1)
        expected = sorted(range(3000), key=lambda place: (distance[place], place))[:20]
        assert positions[query].tolist() == expected
        assert scores[query].tolist() == (16 - 2.0 * distance[expected]).tolist()


def test_a_vector_takes_the_bytes_that_it_is_said_to():
    kinds = ("float32", "float16", "int8", "binary", "rescored")
    assert [vector_bytes(100, precision) for precision in kinds] == [400, 200, 100, 13, 13]
    assert [disk_bytes(100, precision) for precision in kinds] == [400, 200, 100, 13, 413]


def test_rescoring_puts_the_first_documents_in_the_order_of_their_own_vectors():
    queries, documents = unit(40, 64, 5), unit(5000, 64, 6)
    exact = (queries @ documents.T).argsort(axis=1)[:, ::-1][:, :10]
    binary, _ = top_documents(queries, documents, 64, "binary", top=10)
    rescored, scores = top_documents(queries, documents, 64, "rescored", top=10)

    def shared(found: np.ndarray) -> float:
        return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), found.tolist(), strict=True)]))

    assert shared(rescored) > shared(binary) + 0.3  # vectors that share nothing are the hardest case
    assert np.allclose(scores, np.take_along_axis(queries @ documents.T, rescored, axis=1), atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_rescoring_a_corpus_smaller_than_what_is_rescored_is_exact():
    queries, documents = unit(7, 24, 5), unit(60, 24, 6)
    exact, rescored = (top_documents(queries, documents, 24, kind, top=20)[0] for kind in ("float32", "rescored"))
    assert exact.tolist() == rescored.tolist()


def test_two_bytes_a_component_hardly_change_a_score():
    queries, documents = unit(7, 24, 5), unit(600, 24, 6)
    _, exact = top_documents(queries, documents, 24, "float32", top=20)
    _, halved = top_documents(queries, documents, 24, "float16", top=20)
    assert 0 < np.abs(exact - halved).max() < 1e-3


def test_an_unknown_precision_is_named():
    assert check_precisions(["int8", "float32", "int8"]) == ("int8", "float32")
    with pytest.raises(WorkbenchError, match="float8"):
        check_precisions(["float8"])
