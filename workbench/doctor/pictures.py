"""What can be wrong with pictures: the same one twice, nearly the same, blank, unreadable, of odd sizes."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import SIDES
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding, counted
from workbench.doctor.hashes import (
    DETAIL,
    GRID,
    RADIUS,
    grids_alike,
    groups_around_first,
    near_points,
    picture_detail,
    picture_grid,
    pictures_alike,
    points_of,
)
from workbench.doctor.judgements import wrong_negatives_among
from workbench.doctor.leaks import leaks_among
from workbench.doctor.streaming import NOUNS, contexts, digest_of, ids_with, looks, media_of
from workbench.doctor.texts import duplicates_finding
from workbench.errors import WorkbenchError
from workbench.media import decode_image, image_size

if TYPE_CHECKING:
    from PIL import Image

# Blank: no cell of the grid further from the usual colour than scanner noise and a few specks can bring it, and hardly
# a pixel that stands out. A page number on an empty page is 10 levels in its cell; a speck of 3 × 3 pixels 1 or 2.
BLANK_LEVELS, SPECK_LEVELS, SPECK_SHARE = 6.0, 32.0, 0.002
TINY_PIXELS = 32
EXTREME_ASPECT = 5.0
HUGE_SPREAD = 8.0
REASONS_SHOWN = 20


@dataclass(frozen=True)
class PictureLook:
    """What is remembered of one picture: (width, height) in pixels, grid, digest of its pixels, whether it is blank."""

    size: tuple[int, int]
    grid: np.ndarray
    digest: str
    blank: bool


@dataclass(frozen=True)
class Seen:
    """The pictures of a side that can be decoded, in the order of the table, and the reason for those that cannot.

    sizes: (pictures, 2) int64; grids: (pictures, GRID, GRID, 3) uint8, in a file that the system may drop from memory;
    contexts: what must be equal beside the picture.
    """

    ids: list[str]
    sizes: np.ndarray
    grids: np.ndarray
    digests: list[str]
    blank: np.ndarray
    contexts: np.ndarray
    unreadable: dict[str, str]


def look_at_picture(data: bytes) -> PictureLook:
    """Decode a picture and measure it. A large JPEG is read whole and decoded at a reduced scale.

    Raises WorkbenchError if it cannot be decoded.
    """
    picture = decode_image(data, draft=2 * DETAIL)
    size = image_size(data)
    pixels = np.asarray(picture)
    return PictureLook(
        size, picture_grid(picture), digest_of(repr((size, picture.size)).encode(), pixels), is_blank(picture)
    )


def is_blank(picture: Image.Image) -> bool:
    """Whether a picture is of one colour, but for noise and a few specks."""
    grid = picture_grid(picture).astype(np.float32).reshape(-1, 3)
    usual = np.median(grid, axis=0)
    if np.abs(grid - usual).max() > BLANK_LEVELS:
        return False
    stands_out = np.abs(np.asarray(picture, np.int16) - np.round(usual).astype(np.int16)).max(axis=2) > SPECK_LEVELS
    return bool(stands_out.mean() <= SPECK_SHARE)


def seen_pictures(examined: Examined, side: str) -> Seen:
    """All pictures of a side, each decoded once however many checks ask."""
    seen: Seen = examined.kept(("pictures", "seen", side), lambda: _look(examined, side))
    return seen


def _look(examined: Examined, side: str) -> Seen:
    expected = ids_with(examined, side, "image")
    grids = file_array((len(expected), GRID, GRID, 3), np.uint8)
    ids: list[str] = []
    sizes, digests, blank = [], [], []
    unreadable: dict[str, str] = {}
    for identifier, found in looks(examined, side, "image", look_at_picture):
        if isinstance(found, WorkbenchError):
            unreadable[identifier] = found.message
            continue
        grids[len(ids)] = found.grid
        ids.append(identifier)
        sizes.append(found.size)
        digests.append(found.digest)
        blank.append(found.blank)
    context = contexts(examined, side, "image")
    return Seen(
        ids,
        np.array(sizes, np.int64).reshape(-1, 2),
        grids[: len(ids)],
        digests,
        np.array(blank, bool),
        np.array([context[identifier] for identifier in ids], np.int64),
        unreadable,
    )


def file_array(shape: tuple[int, ...], kind: Any) -> np.ndarray:
    """An array in a temporary file, so that memory does not grow with it; gone when it is no longer used."""
    if not shape[0]:
        return np.zeros(shape, kind)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=kind, mode="w+", shape=shape)


def exact_groups(examined: Examined, side: str) -> list[list[str]]:
    """Ids of the pictures of a side whose pixels are the same, whatever their files; blank ones are left out."""

    def make() -> list[list[str]]:
        seen = seen_pictures(examined, side)
        keys = [None if blank else digest for digest, blank in zip(seen.digests, seen.blank, strict=True)]
        return same_content(seen.ids, keys, seen.contexts)

    found: list[list[str]] = examined.kept(("pictures", "exact", side), make)
    return found


def same_content(ids: list[str], digests: list[str | None], context: np.ndarray) -> list[list[str]]:
    """Groups of ids with the same digest in the same context, in the order of their first; None is like nothing."""
    groups: dict[tuple[str, int], list[str]] = defaultdict(list)
    for identifier, digest, number in zip(ids, digests, context.tolist(), strict=True):
        if digest is not None:
            groups[digest, number].append(identifier)
    return [group for group in groups.values() if len(group) > 1]


def with_copies(
    ids: list[str], exact: list[list[str]], left_out: np.ndarray, near_rows: Callable[[np.ndarray], list[list[int]]]
) -> list[list[str]]:
    """Groups of ids that are nearly the same, with every exact copy of them; not those only exact.

    exact: groups of the same content, of which the first is compared for all. left_out: (ids,) bool, what is compared
    with nothing. near_rows(rows) gives the groups of nearly the same among some rows, two at least.
    """
    copies = {group[0]: group for group in exact}
    skipped = {identifier for group in exact for identifier in group[1:]}
    rows = [row for row, one in enumerate(ids) if not left_out[row] and one not in skipped]
    groups = near_rows(np.array(rows, np.int64)) if len(rows) > 1 else []
    return [[one for row in group for one in copies.get(ids[row], [ids[row]])] for group in groups]


def near_groups(examined: Examined, side: str) -> list[list[str]]:
    """Ids of the pictures of a side that are nearly the same, with every exact copy of them; not those only exact.

    Nearly the same is a picture re-encoded, resized, or a little brighter; see `hashes`.
    """

    def make() -> list[list[str]]:
        seen = seen_pictures(examined, side)
        return with_copies(
            seen.ids,
            exact_groups(examined, side),
            seen.blank,
            lambda rows: _near_rows(examined, side, seen, rows),
        )

    found: list[list[str]] = examined.kept(("pictures", "near", side), make)
    return found


def _near_rows(examined: Examined, side: str, seen: Seen, rows: np.ndarray) -> list[list[int]]:
    """Groups of rows of `seen` that are nearly the same, of those in `rows`."""
    examined.progress(0, 1, "Comparing the pictures")
    pairs = rows[near_points(points_of(seen.grids, rows), RADIUS)]
    pairs = pairs[seen.contexts[pairs[:, 0]] == seen.contexts[pairs[:, 1]]]
    pairs = pairs[grids_alike(seen.grids, seen.sizes, pairs)]

    @lru_cache(maxsize=256)
    def detail(row: int) -> Image.Image:
        data = media_of(examined, side, "image", seen.ids[row])
        return picture_detail(decode_image(data, draft=2 * DETAIL))

    return groups_around_first(pairs, lambda one, other: pictures_alike(detail(one), detail(other)))


def find_picture_duplicates(examined: Examined) -> Iterator[Finding]:
    """The same picture, or nearly the same, under several ids of one side; and those of them that leak."""
    for side in SIDES:
        exact, near = exact_groups(examined, side), near_groups(examined, side)
        yield from copies_found(examined, side, "image", exact, near)


def copies_found(
    examined: Examined, side: str, modality: str, exact: list[list[str]], near: list[list[str]]
) -> Iterator[Finding]:
    """The findings of duplicates of one medium, and of their leaks from train to eval."""
    noun = NOUNS[modality][0]
    part = {"image": "pixel for pixel", "audio": "sample for sample", "video": "frame for frame"}[modality]
    if exact:
        yield duplicates_finding(examined, "exact-duplicate", side, exact, f"the same {noun} as another, {part}")
    if near:
        yield duplicates_finding(examined, "near-duplicate", side, near, f"nearly the same {noun} as another")
    yield from leaks_among(examined, side, [*exact, *near], f"as nearly the same {noun}")
    yield from wrong_negatives_among(examined, side, [*exact, *near], f"as a copy of the right {noun}")


def find_unreadable_pictures(examined: Examined) -> Iterator[Finding]:
    """Pictures that are cut off, damaged or not there."""
    for side in SIDES:
        yield from unreadable_found(side, "image", seen_pictures(examined, side).unreadable)


def unreadable_found(side: str, modality: str, reasons: dict[str, str]) -> Iterator[Finding]:
    """The finding that some media of a side cannot be decoded; reasons by id."""
    if not reasons:
        return
    yield Finding(
        "unreadable",
        "blocks",
        f"{counted(len(reasons), *NOUNS[modality])} cannot be read: {next(iter(reasons.values()))}"
        + (" …" if len(set(reasons.values())) > 1 else ""),
        side=side,
        groups=[[identifier] for identifier in reasons],
        fix="Leave them out",
        advice="Training and search would stop at them. To keep them, save the files again and add them.",
        detail={"reasons": dict(list(reasons.items())[:REASONS_SHOWN]), "how": "drop"},
    )


def find_blank_pictures(examined: Examined) -> Iterator[Finding]:
    """Pictures of one colour, empty pages among them."""
    for side in SIDES:
        seen = seen_pictures(examined, side)
        rows = np.flatnonzero(seen.blank)
        if len(rows):
            yield Finding(
                "blank-image",
                "hurts",
                f"{counted(len(rows), *NOUNS['image'])} {'is' if len(rows) == 1 else 'are'} blank: one colour and "
                "nothing on it.",
                side=side,
                groups=[[seen.ids[row]] for row in rows],
                fix="Leave them out",
                advice="Nothing can be learned from a blank picture, and every query fits it as badly.",
                detail={"how": "drop", "share": round(len(rows) / len(seen.ids), 4)},
            )


def find_picture_sizes(examined: Examined) -> Iterator[Finding]:
    """Pictures too small to show much, strips, and a collection of very different sizes."""
    for side in SIDES:
        seen = seen_pictures(examined, side)
        if len(seen.ids):
            yield from _sizes(side, seen)


def _sizes(side: str, seen: Seen) -> Iterator[Finding]:
    short, long = seen.sizes.min(axis=1), seen.sizes.max(axis=1)
    figures: dict[str, Any] = {
        "pictures": len(seen.ids),
        "median": [int(np.median(seen.sizes[:, 0])), int(np.median(seen.sizes[:, 1]))],
        "smallest": [int(value) for value in seen.sizes[np.argmin(short)]],
        "largest": [int(value) for value in seen.sizes[np.argmax(long)]],
        "how": "",
    }
    tiny = np.flatnonzero(short < TINY_PIXELS)
    if len(tiny):
        width, height = figures["smallest"]
        yield size_note(
            side,
            f"{counted(len(tiny), *NOUNS['image'])} {'is' if len(tiny) == 1 else 'are'} smaller than {TINY_PIXELS} "
            f"pixels: the smallest is {width} × {height}.",
            [[seen.ids[row]] for row in tiny[np.argsort(short[tiny], kind="stable")]],
            "A model enlarges them and sees little. Bring larger ones if there are any.",
            figures,
        )
    aspect = long / short
    strips = np.flatnonzero(aspect > EXTREME_ASPECT)
    if len(strips):
        worst = strips[np.argmax(aspect[strips])]
        yield size_note(
            side,
            f"{counted(len(strips), *NOUNS['image'])} {'is' if len(strips) == 1 else 'are'} more than "
            f"{EXTREME_ASPECT:.0f} times as long as wide: up to {long[worst]:,} × {short[worst]:,} pixels.",
            [[seen.ids[row]] for row in strips[np.argsort(-aspect[strips], kind="stable")]],
            "Most models squeeze a picture into a square or cut its ends off. Cut such a picture into parts.",
            figures,
        )
    low, high = np.quantile(long, [0.01, 0.99])
    if len(long) >= 2 and high > HUGE_SPREAD * low:
        yield size_note(
            side,
            f"The pictures are of very different sizes: the longer side goes from {low:,.0f} to {high:,.0f} pixels.",
            [[seen.ids[int(np.argmin(long))]], [seen.ids[int(np.argmax(long))]]],
            "A model scales all to one size, so fine print of the large ones is lost. Look at both kinds.",
            figures,
        )


def size_note(side: str, sentence: str, groups: list[list[str]], advice: str, figures: dict[str, Any]) -> Finding:
    """A finding worth knowing of sizes, lengths or rates."""
    return Finding("size", "note", sentence, side=side, groups=groups, advice=advice, detail=figures)
