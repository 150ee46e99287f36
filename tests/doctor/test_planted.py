"""Ten thousand items: a clean collection has no finding, and each fault planted in it is found exactly and mended."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.doctor.making import judgement, make, text_pairs, words
from tests.doctor.planting import encoded, melody, photo, sound_file
from workbench.collection.editing import changes, edit_collection, undo
from workbench.collection.scenes import render, sample_scenes
from workbench.collection.store import Item, open_collection
from workbench.doctor.check import check_collection, read_check
from workbench.doctor.fixes import fix
from workbench.errors import WorkbenchError
from workbench.media import thumbnail
from workbench.workspace import Workspace

PAIRS, SCENES = 4_955, 30


@dataclass
class Content:
    """What a collection is made of, for a fault to be planted in."""

    queries: dict[str, str | Item] = field(default_factory=dict)
    corpus: dict[str, str | Item] = field(default_factory=dict)
    judgements: list[tuple[Any, ...]] = field(default_factory=list)


@pytest.fixture(scope="module")
def clean() -> Content:
    """Ten thousand items: text pairs, and some sentences with a picture and a tune each."""
    made = Content(*text_pairs(PAIRS))
    for number, (sentence, picture, tune) in enumerate(render(sample_scenes(SCENES, 0), 0)):
        made.queries[f"scene{number}"] = sentence
        made.corpus[f"picture{number}"] = Item(image=picture, thumbnail=thumbnail("image", picture))
        made.corpus[f"tune{number}"] = Item(audio=tune, thumbnail=thumbnail("audio", tune))
        made.judgements += [judgement(f"scene{number}", f"{kind}{number}") for kind in ("picture", "tune")]
    assert len(made.queries) + len(made.corpus) == 10_000
    return made


def content(clean: Content) -> Content:
    return Content(dict(clean.queries), dict(clean.corpus), list(clean.judgements))


def plant_exact_duplicate(c: Content) -> set[str]:
    c.corpus["twin"] = f"  {str(c.corpus['d11']).upper()}"
    c.judgements.append(judgement("q12", "twin"))
    return {"d11", "twin"}


def plant_near_duplicate(c: Content) -> set[str]:
    c.queries["near"] = f"{c.queries['q13']}?"
    c.judgements.append(judgement("near", "d14"))
    return {"q13", "near"}


def plant_contradiction(c: Content) -> set[str]:
    c.queries["again"] = f"{c.queries['q15']} "
    c.judgements.append(judgement("again", "d15", 0.0))
    return {"again", "d15"}


def plant_false_negative(c: Content) -> set[str]:
    c.queries["other"] = str(c.queries["q16"]).title()
    c.judgements += [judgement("other", "d17"), judgement("other", "d16", 0.0)]
    return {"other", "d16"}


def plant_leaked_query(c: Content) -> set[str]:
    c.queries["seen"] = f"the {c.queries['q20']}!"
    c.judgements.append(judgement("seen", "d18"))
    return {"q20", "seen"}


def plant_leaked_document(c: Content) -> set[str]:
    c.judgements.append(judgement("q19", "d30"))
    return {"d30"}


def plant_imbalance(c: Content) -> set[str]:
    train = [document for _, document, _, split, *_ in c.judgements if split == "train"]
    c.judgements += [judgement("q21", document) for document in train[1000:2500]]
    return {"q21"}


def plant_personal_data(c: Content) -> set[str]:
    c.corpus["d22"] = f"{c.corpus['d22']} Write to jane.doe@acme.com or +49 30 1234567, card 4539 5787 6362 1486."
    return {"d22"}


def plant_hardly_anything(c: Content) -> set[str]:
    c.queries["q23"] = "…?"
    return {"q23"}


def plant_far_longer(c: Content) -> set[str]:
    c.corpus["d24"] = words(2_000, random.Random(7))
    return {"d24"}


def plant_other_script(c: Content) -> set[str]:
    c.corpus["d25"] = "Москва — столица России, большой и старый город на реке"
    return {"d25"}


def media(kind: str, data: bytes) -> Item:
    """A picture or sound as an import stores it."""
    part: dict[str, Any] = {kind: data}
    return Item(thumbnail=thumbnail(kind, data), **part)


def plant_blank_picture(c: Content) -> set[str]:
    c.corpus["blank"] = media("image", encoded(Image.new("RGB", (64, 64), "white")))
    c.judgements.append(judgement("q31", "blank"))
    return {"blank"}


def plant_silence(c: Content) -> set[str]:
    c.corpus["silent"] = media("audio", sound_file(np.zeros(8_000, np.float32)))
    c.judgements.append(judgement("q32", "silent"))
    return {"silent"}


def plant_unreadable(c: Content) -> set[str]:
    c.corpus["broken"] = Item(image=b"\x89PNG\r\n\x1a\n and then nothing")
    c.judgements.append(judgement("q33", "broken"))
    return {"broken"}


def plant_copy_of_a_picture(c: Content) -> set[str]:
    picture = photo(1)
    c.corpus |= {
        "photo": media("image", encoded(picture)),
        "again.jpg": media("image", encoded(picture, format="JPEG")),
    }
    c.judgements += [judgement("q34", "photo"), judgement("q34", "again.jpg")]
    return {"photo", "again.jpg"}


def plant_copy_of_a_sound(c: Content) -> set[str]:
    tune = melody(1)
    c.corpus |= {"tune": media("audio", sound_file(tune)), "quiet": media("audio", sound_file(tune * 0.4))}
    c.judgements += [judgement("q35", "tune"), judgement("q35", "quiet")]
    return {"tune", "quiet"}


def plant_tiny_picture(c: Content) -> set[str]:
    c.corpus["tiny"] = media("image", encoded(photo(2).resize((20, 20))))
    c.judgements.append(judgement("q36", "tiny"))
    return {"tiny"}


def plant_strip(c: Content) -> set[str]:
    c.corpus["strip"] = media("image", encoded(photo(3).resize((250, 40))))
    c.judgements.append(judgement("q37", "strip"))
    return {"strip"}


def plant_long_sound(c: Content) -> set[str]:
    c.corpus["long"] = media("audio", sound_file(melody(2, seconds=31)))
    c.judgements.append(judgement("q38", "long"))
    return {"long"}


PLANTED: dict[str, Callable[[Content], set[str]]] = {
    "exact-duplicate": plant_exact_duplicate,
    "near-duplicate": plant_near_duplicate,
    "contradiction": plant_contradiction,
    "false-negative": plant_false_negative,
    "leaked-query": plant_leaked_query,
    "leaked-document": plant_leaked_document,
    "imbalance": plant_imbalance,
    "personal-data": plant_personal_data,
    "length, hardly anything": plant_hardly_anything,
    "length, far longer": plant_far_longer,
    "length, another script": plant_other_script,
    "blank-image": plant_blank_picture,
    "silence": plant_silence,
    "unreadable": plant_unreadable,
    "near-duplicate, a picture": plant_copy_of_a_picture,
    "near-duplicate, a sound": plant_copy_of_a_sound,
    "size, a tiny picture": plant_tiny_picture,
    "size, a strip": plant_strip,
    "size, a long sound": plant_long_sound,
}
# A copy that was planted for another fault is a duplicate as well.
COPIES = {
    "exact-duplicate": {frozenset({"q15", "again"}), frozenset({"q16", "other"})},
    "near-duplicate": {frozenset({"q20", "seen"})},
}
# Of the small faults each alone, in a small collection, that no other finding is near.
ALONE = {
    "contradiction": {"contradiction", "exact-duplicate"},
    "false-negative": {"false-negative", "exact-duplicate"},
    "leaked-query": {"leaked-query", "near-duplicate"},
}


def groups_by_kind(workspace: Workspace) -> dict[str, set[frozenset[str]]]:
    check = read_check(workspace, "made")
    assert check is not None
    found: dict[str, set[frozenset[str]]] = {}
    for finding in check.findings:
        found.setdefault(finding.kind, set()).update(map(frozenset, finding.groups))
    return found


def test_a_clean_collection_of_ten_thousand_items_has_no_finding(workspace: Workspace, clean: Content) -> None:
    c = content(clean)
    make(workspace, c.queries, c.corpus, c.judgements)
    assert check_collection(workspace, "made") == {"collection": "made", "findings": []}


def test_every_fault_among_ten_thousand_items_is_found_exactly_and_mended(workspace: Workspace, clean: Content) -> None:
    c = content(clean)
    expected = {kind: set(groups) for kind, groups in COPIES.items()}
    for name, plant in PLANTED.items():
        expected.setdefault(name.partition(",")[0], set()).add(frozenset(plant(c)))
    before = make(workspace, c.queries, c.corpus, c.judgements)
    check_collection(workspace, "made")
    assert groups_by_kind(workspace) == expected

    # Duplicates last: merging them settles what their copies were judged.
    mended = [kind for kind in reversed(expected) if kind not in ("imbalance", "size")]
    for kind in mended:
        assert fix(workspace, "made", kind) != "Nothing was left to mend."
    left = check_collection(workspace, "made")["findings"]
    assert [finding["kind"] for finding in left if finding["fixable"]] == []
    assert {finding["kind"] for finding in left} == {"imbalance", "length", "size"}
    for _ in mended:
        undo(workspace, "made")
    assert changes(workspace, "made") == []
    assert open_collection(workspace, "made").fingerprint == before.fingerprint


def test_ten_thousand_items_that_are_turned_round_are_found_and_turned_back(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(5_000, seed=1)
    turned = [judgement(document, query, split=split) for query, document, _, split, *_ in judgements]
    before = make(workspace, corpus, queries, turned)
    check_collection(workspace, "made")
    assert groups_by_kind(workspace) == {"direction": {frozenset(turned[0][:2])}}
    fix(workspace, "made", "direction")
    assert check_collection(workspace, "made")["findings"] == []
    undo(workspace, "made")
    assert open_collection(workspace, "made").fingerprint == before.fingerprint


@pytest.mark.slow
def test_a_hub_and_a_text_that_is_cut_are_found_among_ten_thousand_items(workspace: Workspace, tmp_path: Path) -> None:
    vocabulary = list(dict.fromkeys(words(3_000, random.Random(2)).split()))
    model = tiny_embedder(tmp_path, ["how", "do", *vocabulary])
    chance, c = random.Random(3), Content()
    for number in range(5_000):
        some = chance.sample(vocabulary, 8)
        c.queries[f"q{number}"] = f"how do {some[0]} {some[1]} {some[2]}"
        c.corpus[f"d{number}"] = " ".join(reversed(some))
        c.judgements.append(judgement(f"q{number}", f"d{number}", split="train" if number % 10 else "eval"))
    clean = make(workspace, c.queries, c.corpus, c.judgements)
    assert check_collection(workspace, "made", model)["findings"] == []

    with edit_collection(workspace, "made", "Planted") as edit:
        edit.add("corpus", Item(id="stuffed", text=f"how do {vocabulary[0]} do how {vocabulary[1]} how do"))
        edit.add("corpus", Item(id="endless", text=" ".join(vocabulary[:40])))
    check_collection(workspace, "made", model)
    cut = {frozenset({"endless"})}
    assert groups_by_kind(workspace) == {"hub": {frozenset({"stuffed"})}, "truncated-text": cut}
    fix(workspace, "made", "hub")
    with pytest.raises(WorkbenchError, match="cannot mend this"):
        fix(workspace, "made", "truncated-text")
    check_collection(workspace, "made", model)
    assert groups_by_kind(workspace) == {"truncated-text": cut}
    for _ in range(2):
        undo(workspace, "made")
    assert open_collection(workspace, "made").fingerprint == clean.fingerprint


def tiny_embedder(folder: Path, vocabulary: list[str]) -> str:
    """A folder with an untrained model that reads 24 of these words: a text is the mean of its words."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(["[PAD]", *vocabulary])}, "[PAD]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", model_max_length=24)
    config = BertConfig(
        vocab_size=len(vocabulary) + 1,
        hidden_size=512,
        num_hidden_layers=0,
        num_attention_heads=1,
        intermediate_size=64,
        max_position_embeddings=24,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        bert = BertModel(config)
        bert.embeddings.position_embeddings.weight.zero_()  # what all texts share would hide what they do not
        bert.embeddings.token_type_embeddings.weight.zero_()
    bert.save_pretrained(folder / "bert")
    fast.save_pretrained(folder / "bert")
    modules = [Transformer(str(folder / "bert")), Pooling(512, pooling_mode="mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder / "tiny"), create_model_card=False)
    return str(folder / "tiny")


@pytest.mark.parametrize("name", PLANTED)
def test_each_fault_alone_is_found_mended_once_and_taken_back(workspace: Workspace, name: str) -> None:
    kind = name.partition(",")[0]
    c = Content(*text_pairs(200 if kind != "imbalance" else 2_800))
    planted = PLANTED[name](c)
    before = make(workspace, c.queries, c.corpus, c.judgements)
    check_collection(workspace, "made")
    found = groups_by_kind(workspace)
    assert set(found) == ALONE.get(kind, {kind})
    assert frozenset(planted) in found[kind]

    check = read_check(workspace, "made")
    assert check is not None and check.current
    if not any(finding.fixable for finding in check.findings if finding.kind == kind):
        with pytest.raises(WorkbenchError, match="cannot mend this"):
            fix(workspace, "made", kind)
        return
    said = fix(workspace, "made", kind)
    (change,) = changes(workspace, "made")
    assert said == f"{change.what}."
    assert fix(workspace, "made", kind) == "Nothing was left to mend."
    assert len(changes(workspace, "made")) == 1
    check = read_check(workspace, "made")
    assert check is not None and not check.current
    assert kind not in {finding["kind"] for finding in check_collection(workspace, "made")["findings"]}
    undo(workspace, "made")
    assert open_collection(workspace, "made").fingerprint == before.fingerprint
    check_collection(workspace, "made")
    assert groups_by_kind(workspace) == found
