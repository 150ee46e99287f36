"""Computing activations twice is refused to a model of which no part can, in place of a line in a log."""

from __future__ import annotations

import pytest
from torch import nn

from workbench.errors import WorkbenchError
from workbench.training.preparing import check_checkpointing


class Trunk(nn.Module):
    """A part as the library makes them: all have the function, and say whether it works."""

    def __init__(self, works: bool) -> None:
        super().__init__()
        self.supports_gradient_checkpointing = works

    def gradient_checkpointing_enable(self) -> None: ...


def test_one_part_that_can_is_enough() -> None:
    check_checkpointing(nn.Sequential(Trunk(False), nn.Linear(2, 2), Trunk(True)))


@pytest.mark.parametrize("model", [nn.Sequential(Trunk(False)), nn.Sequential(nn.Linear(2, 2))])
def test_a_model_of_which_no_part_can_is_refused(model: nn.Module) -> None:
    with pytest.raises(WorkbenchError, match="Leave Gradient checkpointing off"):
        check_checkpointing(model)
