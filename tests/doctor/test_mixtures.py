"""Whatever is wrong at once, each fix mends its kind, does its work once, and can be taken back."""

from __future__ import annotations

import random

import pytest

from tests.doctor.making import judgement, make, words
from workbench.collection.editing import changes, undo
from workbench.collection.store import open_collection
from workbench.doctor.check import check_collection, read_check
from workbench.doctor.fixes import fix
from workbench.workspace import Workspace

LONG = words(60, random.Random(5))
TEXTS = ["red fox runs home", "blue bird sings at dawn", "x", "?", LONG, f"{LONG} tail", "Москва столица"]


def variant(text: str, chance: random.Random) -> str:
    return chance.choice([text, text.upper(), f"{text}!", f" {text}", f"the {text}", f"{text} jane@acme.com"])


def mixture(workspace: Workspace, seed: int) -> None:
    chance = random.Random(seed)
    queries, corpus = (
        {f"{letter}{number}": variant(chance.choice(TEXTS), chance) for number in range(chance.randint(2, 12))}
        for letter in "qd"
    )
    judgements = [
        judgement(
            chance.choice(list(queries)),
            chance.choice(list(corpus)),
            chance.choice([0.0, 0.5, 1.0]),
            chance.choice(["train", "train", "eval"]),
            chance.choice(["upload", "mined", "reviewed", "feedback"]),
        )
        for _ in range(chance.randint(5, 25))
    ]
    make(workspace, queries, corpus, judgements, method=chance.choice(["component", "query", "given"]))


def fixable(workspace: Workspace) -> list[str]:
    return [finding["kind"] for finding in check_collection(workspace, "made")["findings"] if finding["fixable"]]


@pytest.mark.parametrize("seed", [57, 102])
def test_each_fix_mends_its_kind_once_and_can_be_taken_back(workspace: Workspace, seed: int) -> None:
    mixture(workspace, seed)
    before = open_collection(workspace, "made").fingerprint
    for kind in dict.fromkeys(fixable(workspace)):
        check_collection(workspace, "made")
        assert fix(workspace, "made", kind) != "Nothing was left to mend."
        assert fix(workspace, "made", kind) == "Nothing was left to mend."
        assert len(changes(workspace, "made")) == 1
        assert kind not in fixable(workspace)
        undo(workspace, "made")
        assert open_collection(workspace, "made").fingerprint == before


def test_mending_one_after_the_other_comes_to_an_end(workspace: Workspace) -> None:
    mixture(workspace, 7)
    for _ in range(8):
        if not (kinds := fixable(workspace)):
            break
        fix(workspace, "made", kinds[0])
    assert fixable(workspace) == []
    check = read_check(workspace, "made")
    assert check is not None and check.current
