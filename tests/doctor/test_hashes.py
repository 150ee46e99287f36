from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

from tests.doctor.planting import encoded, photo
from workbench.collection.scenes import Scene, draw
from workbench.doctor.hashes import groups_around_first, near_points, pictures_alike, points_of
from workbench.media import decode_image


def _again(picture: Image.Image, **save: object) -> Image.Image:
    return decode_image(encoded(picture, **save))


@pytest.mark.parametrize(
    "copy",
    [
        lambda p: _again(p, format="JPEG", quality=50),
        lambda p: p.resize((p.width // 2, p.height // 2), Image.Resampling.LANCZOS),
        lambda p: p.resize((p.width * 2, p.height * 2)),
        lambda p: ImageEnhance.Brightness(p).enhance(1.12),
        lambda p: ImageEnhance.Brightness(p).enhance(0.88),
        lambda p: ImageEnhance.Contrast(p).enhance(1.1),
    ],
    ids=["jpeg", "half", "double", "brighter", "darker", "contrast"],
)
def test_a_copy_is_known_in_either_order(copy) -> None:  # type: ignore[no-untyped-def]
    for seed in range(6):
        picture = photo(seed)
        assert pictures_alike(picture, copy(picture))
        assert pictures_alike(copy(picture), picture)


def test_a_scene_with_one_other_attribute_is_another_picture() -> None:
    scene = Scene("small", "red", "circle", "left of", "blue", "ring", "white")
    first = decode_image(draw(scene, np.random.default_rng(0)))
    for change in ({"colour": "orange"}, {"other_colour": "purple"}, {"shape": "square"}, {"ground": "grey"}):
        other = Scene(**{**scene.__dict__, **change})
        assert not pictures_alike(first, decode_image(draw(other, np.random.default_rng(0)))), change


def test_a_page_with_one_other_word_is_another_picture() -> None:
    pages = []
    for word in ("invoice", "receipt"):
        page = Image.new("RGB", (600, 800), "white")
        pen = ImageDraw.Draw(page)
        for line in range(30):
            words = f"line {line} of a {word if line == 12 else 'page'} that says much the same"
            pen.text((40, 40 + line * 24), words, fill="black", font=ImageFont.load_default(20))
        pages.append(page)
    assert not pictures_alike(*pages)
    assert pictures_alike(pages[0], _again(pages[0], format="JPEG", quality=60))


def test_near_points_are_those_that_comparing_all_pairs_finds() -> None:
    points = np.random.default_rng(0).normal(0, 1, (700, 5)).astype(np.float32)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    expected = np.argwhere(np.triu(apart <= 0.8, 1))
    assert len(expected) > 100
    assert near_points(points, 0.8, nearest=700).tolist() == expected.tolist()


def test_of_very_many_neighbours_the_nearest_count() -> None:
    points = np.zeros((300, 3), np.float32)
    points[:, 1] = np.linspace(0, 0.1, 300)
    assert len(near_points(points, 0.5, nearest=4)) <= 4 * 300


def test_one_picture_has_no_neighbours() -> None:
    grids = np.zeros((1, 24, 24, 3), np.uint8)
    assert len(near_points(points_of(grids, np.arange(1)), 0.3)) == 0


def test_the_pictures_asked_for_are_read_a_block_at_a_time() -> None:
    class Counted:
        most = 0

        def __getitem__(self, rows: np.ndarray) -> np.ndarray:
            self.most = max(self.most, len(rows))
            return grids[rows]

    grids = np.random.default_rng(0).integers(0, 255, (6000, 24, 24, 3), dtype=np.uint8)
    rows, counted = np.arange(0, 6000)[::-1][:5000], Counted()
    points = points_of(counted, rows)  # type: ignore[arg-type]
    assert 0 < counted.most < 5000
    np.testing.assert_array_equal(points, points_of(grids[rows], np.arange(5000)))


def test_every_member_of_a_group_is_like_its_first() -> None:
    # 0-1-2-3 is a chain in which only neighbours are alike.
    pairs = np.array([[0, 1], [1, 2], [2, 3], [0, 2]])
    assert groups_around_first(pairs, lambda one, other: other - one == 1) == [[0, 1], [2, 3]]
