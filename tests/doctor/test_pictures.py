from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

from tests.doctor.planting import encoded, photo, plant
from workbench.collection.editing import undo
from workbench.collection.scenes import render, sample_scenes
from workbench.collection.store import Item, open_collection
from workbench.doctor.check import check_collection, read_check
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding
from workbench.doctor.fixes import fix
from workbench.doctor.pictures import (
    exact_groups,
    find_blank_pictures,
    find_picture_duplicates,
    find_picture_sizes,
    find_unreadable_pictures,
    near_groups,
)
from workbench.media import decode_image
from workbench.workspace import Workspace

FINDERS = (find_picture_duplicates, find_unreadable_pictures, find_blank_pictures, find_picture_sizes)


def _findings(examined: Examined) -> list[Finding]:
    return [finding for find in FINDERS for finding in find(examined)]


def _photos(count: int) -> list[Item]:
    return [Item(image=encoded(photo(seed)), id=f"p{seed}") for seed in range(count)]


def test_a_clean_collection_has_nothing_to_report(workspace: Workspace) -> None:
    scenes = [Item(image=picture) for _, picture, _ in render(sample_scenes(150, 3), 3)]
    assert _findings(Examined(plant(workspace, scenes))) == []


def test_emoji_are_duplicates_only_where_their_pixels_are_the_same(workspace: Workspace, shared_data) -> None:  # type: ignore[no-untyped-def]
    files = sorted((shared_data / "emoji" / "images").glob("*.png"))[380:700]
    examined = Examined(plant(workspace, [Item(image=file.read_bytes(), id=file.stem) for file in files]))
    assert near_groups(examined, "corpus") == []
    assert [find.kind for find in _findings(examined)] in ([], ["exact-duplicate"])


def test_the_same_pixels_in_other_files_are_exact_duplicates(workspace: Workspace) -> None:
    tagged = Image.Exif()
    tagged[0x010E] = "on the beach"
    jpeg = encoded(photo(50), format="JPEG")
    decoded = decode_image(jpeg)
    items = [
        *_photos(8),
        Item(image=encoded(photo(2), compress_level=1), id="again"),
        Item(image=jpeg, id="jpeg"),
        Item(image=encoded(decoded, exif=tagged), id="jpeg-with-a-title"),
        Item(image=encoded(decoded), id="jpeg-as-png"),
    ]
    examined = Examined(plant(workspace, items))
    assert exact_groups(examined, "corpus") == [["p2", "again"], ["jpeg", "jpeg-with-a-title", "jpeg-as-png"]]
    assert near_groups(examined, "corpus") == []


def test_copies_are_found_on_either_side_and_merged_and_brought_back(workspace: Workspace) -> None:
    copies = [
        Item(image=encoded(photo(0), format="JPEG", quality=70), id="jpeg"),
        Item(image=encoded(photo(1).resize((120, 90))), id="small"),
        Item(image=encoded(ImageEnhance.Brightness(photo(2)).enhance(1.1)), id="bright"),
    ]
    for side in ("corpus", "queries"):
        collection = plant(workspace, [*_photos(12), *copies], side, side)
        expected = [["p0", "jpeg"], ["p1", "small"], ["p2", "bright"]]
        assert near_groups(Examined(collection), side) == expected
        check_collection(workspace, side)
        check = read_check(workspace, side)
        assert check is not None
        assert [f.groups for f in check.findings if f.kind == "near-duplicate" and f.side == side] == [expected]
        fix(workspace, side, "near-duplicate")
        assert len(open_collection(workspace, side).side(side)) == 12
        assert near_groups(Examined(open_collection(workspace, side)), side) == []
        undo(workspace, side)
        assert len(open_collection(workspace, side).side(side)) == 15


def test_a_copy_in_train_of_a_held_out_picture_is_a_leak(workspace: Workspace) -> None:
    items = _photos(12)
    items.append(Item(image=encoded(photo(3), format="JPEG", quality=75), id="copy"))  # p3 is held out, the copy trains
    kinds = [finding.kind for finding in find_picture_duplicates(Examined(plant(workspace, items)))]
    assert kinds == ["near-duplicate", "leaked-document"]


def test_the_same_picture_with_another_text_is_another_item(workspace: Workspace) -> None:
    one, other = encoded(photo(1)), encoded(photo(1), format="JPEG")
    items = [*_photos(1), Item(image=one, text="a beach", id="a"), Item(image=other, text="a desert", id="b")]
    assert near_groups(Examined(plant(workspace, items)), "corpus") == []
    items = [*_photos(1), Item(image=one, text="a beach", id="a"), Item(image=other, text="A  beach", id="b")]
    assert near_groups(Examined(plant(workspace, items, "d")), "corpus") == [["a", "b"]]


def test_unreadable_pictures_are_reported_with_the_reason_and_left_out(workspace: Workspace) -> None:
    whole = encoded(photo(1), format="JPEG", quality=90)
    items = [*_photos(6), Item(image=whole[: len(whole) // 2], id="half"), Item(image=b"", id="none")]
    (finding,) = find_unreadable_pictures(Examined(plant(workspace, items)))
    assert (finding.kind, finding.severity, finding.groups) == ("unreadable", "blocks", [["half"], ["none"]])
    assert "cut off" in finding.detail["reasons"]["half"]
    check_collection(workspace, "c")
    fix(workspace, "c", "unreadable")
    assert not list(find_unreadable_pictures(Examined(open_collection(workspace, "c"))))
    undo(workspace, "c")
    assert len(open_collection(workspace, "c").corpus) == 8


def test_blank_pictures_and_empty_scans_are_reported_and_hardly_filled_ones_are_not(workspace: Workspace) -> None:
    generator = np.random.default_rng(0)
    scan = Image.fromarray(generator.normal(246, 2, (800, 600, 3)).clip(0, 255).astype(np.uint8))
    numbered = scan.copy()
    ImageDraw.Draw(numbered).text((280, 760), "- 12 -", fill="black", font=ImageFont.load_default(18))
    specks = scan.copy()
    for x, y in generator.integers(20, 580, (6, 2)).tolist():
        ImageDraw.Draw(specks).rectangle((x, y, x + 1, y + 1), fill="black")
    items = [
        *_photos(5),
        Item(image=encoded(Image.new("RGB", (64, 64), (20, 90, 200))), id="blue"),
        Item(image=encoded(scan), id="scan"),
        Item(image=encoded(specks, format="JPEG"), id="specks"),
        Item(image=encoded(numbered), id="numbered"),
        Item(image=encoded(Image.new("RGBA", (64, 64), (255, 255, 255, 0))), id="see-through"),
    ]
    examined = Examined(plant(workspace, items))
    (finding,) = find_blank_pictures(examined)
    assert [group[0] for group in finding.groups] == ["blue", "scan", "specks", "see-through"]
    assert not list(find_picture_duplicates(examined))
    check_collection(workspace, "c")
    fix(workspace, "c", "blank-image")
    assert not list(find_blank_pictures(Examined(open_collection(workspace, "c"))))
    undo(workspace, "c")
    assert len(open_collection(workspace, "c").corpus) == 10


@pytest.mark.parametrize(
    ("size", "words"),
    [((20, 20), "smaller than 32"), ((1600, 120), "5 times as long as wide"), ((4000, 3000), "very different")],
)
def test_odd_sizes_are_worth_knowing(workspace: Workspace, size: tuple[int, int], words: str) -> None:
    items = [*_photos(20), Item(image=encoded(photo(99).resize(size), format="JPEG"), id="odd")]
    if words == "very different":
        items = [Item(image=encoded(photo(n, (100, 80)))) for n in range(20)] + items[-1:]
    (finding,) = find_picture_sizes(Examined(plant(workspace, items)))
    assert words in finding.sentence
    assert (finding.severity, finding.fixable) == ("note", False)
    assert ["odd"] in finding.groups
