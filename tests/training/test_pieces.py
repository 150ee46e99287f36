"""The pieces of a batch count alike, so they hold alike many pairs."""

from __future__ import annotations

import pytest

from workbench.training.batches import InOrder
from workbench.training.pieces import Pieces


@pytest.mark.parametrize(
    ("rows", "last"), [(32, [4, 4, 4, 4]), (22, [3, 3]), (25, [3, 3, 3]), (26, [3, 3, 4]), (27, [3, 4, 4]), (17, [1])]
)
def test_the_last_smaller_batch_is_cut_as_evenly_as_can_be(rows: int, last: list[int]) -> None:
    pieces = list(Pieces(InOrder(rows, 16), 4))
    assert [row for piece in pieces for row in piece] == list(range(rows))
    assert [len(piece) for piece in pieces[4:]][-len(last) :] == last
    assert len(pieces) == 4 + len(last) and max(map(len, pieces)) == 4
