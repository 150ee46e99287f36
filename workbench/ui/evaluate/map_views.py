"""What the map's part shows: the gaps as numbers, the points with their colours and words, an item that was opened."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.evaluation.map import Map, answers_of
from workbench.evaluation.map import farthest as farthest_pairs
from workbench.evaluation.map_colours import CORRECTNESS, NOTHING, OTHERS, Colouring
from workbench.ui import cards, words
from workbench.ui.choices import model_name
from workbench.ui.data_views import has_media, item_box
from workbench.ui.media_route import MediaRoute
from workbench.workspace import Workspace

TEXT_SHOWN = 160
FARTHEST_SHOWN = 8
ANSWERS_SHOWN = 5
PLACE_DIGITS = 4
TITLES = {"side": "query or document", "correctness": "found or missed"}
# Of the right colours in order; what was missed is the one that stands out.
CORRECTNESS_TONES = ["1", "3", "2", "4", "5", "base"]
PCA_NOTE = (
    "Near in the map is near in the vectors, as far as two axes can show it: they hold {shares} of all differences."
)
UMAP_NOTE = (
    "Neighbours stay together. How far apart the groups lie, and how large they are, says little here. The seed is "
    "fixed, so the same vectors give the same picture."
)
ABOUT_GAP = (
    "The gap is the distance between the middles of the two kinds, of vectors of length 1 (Liang et al. 2022): 0 where "
    "they share one region, 2 at most. By chance: what so many items of one region would show."
)
ABOUT_UMAP = (
    "UMAP shows neighbourhoods that two axes cannot. It works in the background on one core, about half a minute for "
    "5,000 items."
)
TOGETHER = (
    "Models share no axes, so each model's points were moved to a common middle and turned, never stretched, until the "
    "same items lay as near one another as they can (orthogonal Procrustes). Then one map was made of all models at "
    "once: the axes of both panels are the same."
)


def as_mapped(workspace: Workspace, found: Map) -> Collection | None:
    """The collection as it was when the map was made, or None where that is gone."""
    try:
        return open_collection(workspace, found.about["collection"], found.about["collection_fingerprint"])
    except WorkbenchError:
        return None


def top(found: Map, at_work: bool, can_umap: bool) -> str:
    """The widest gap in a sentence, what is missing, and the button for UMAP."""
    missing = found.about["missing"]
    gone = f'<p class="quiet small">{cards.text(_gone(missing))}</p>' if missing else ""
    return cards.card(
        f'<div class="split"><p>{cards.text(gap_sentence(found))}</p>{_umap(found, at_work, can_umap)}</div>{gone}',
        label="Where each model puts your items",
    )


def gaps(found: Map) -> str:
    """The gap between every two modalities, by every model, and what chance would show."""
    models, told = found.about["models"], found.about["gaps"]
    rows = []
    for model in models:
        cells = [cards.text(model_name(model))]
        for row, first in zip(told[model], told[models[0]], strict=True):
            change = "" if model == models[0] else words.signed(row["gap"] - first["gap"])
            cells.append(f'<span class="quiet small">{change}</span> <b>{words.number(row["gap"])}</b>')
        rows.append(cells)
    chance = [max(told[model][place]["chance"] for model in models) for place in range(len(told[models[0]]))]
    rows.append(['<span class="quiet">by chance</span>', *(words.number(one) for one in chance)])
    pairs = [">" + " – ".join(words.modality(name) for name in row["between"]) for row in told[models[0]]]
    beside = "" if len(models) == 1 else f" The small figure is the change against {model_name(models[0])}."
    about = f'<p class="quiet small">{cards.text(ABOUT_GAP + beside)}</p>'
    table = cards.table(["Model", *pairs], rows, caption="Gap between modalities")
    return cards.card(table + about, label="How far apart the modalities lie")


def gap_sentence(found: Map) -> str:
    """The widest gap in words, by the first model and by the last."""
    models = found.about["models"]
    widest = max(found.about["gaps"][models[-1]], key=lambda row: row["gap"])
    one, other = (words.modality(name) for name in widest["between"])
    said = f"{model_name(models[-1])} puts {one} and {other} {words.number(widest['gap'])} apart"
    if len(models) == 1:
        return f"{said}."
    before = next(row for row in found.about["gaps"][models[0]] if row["between"] == widest["between"])
    return f"{said}, {model_name(models[0])} {words.number(before['gap'])}."


def scatter(found: Map, collection: Collection | None, media: MediaRoute) -> dict[str, Any]:
    """The value of the scatter: places, groups and words of every point. Plain texts: the page shows them as text."""
    models = found.about["models"]
    shares = f"{100 * sum(found.about['variance']):.0f} %"
    together = f" {TOGETHER}" if len(models) > 1 else ""
    layouts = [{"name": "PCA", "note": PCA_NOTE.format(shares=shares) + together, "places": _places(found.pca)}]
    if found.umap is not None:
        layouts.append({"name": "UMAP", "note": UMAP_NOTE + together, "places": _places(found.umap)})
    return {
        "panels": [model_name(model) for model in models],
        "shown": [0, len(models) - 1],
        "points": len(found.rows),
        "layouts": layouts,
        "colours": [_colour(one) for one in found.colourings],
        "items": _items(found, collection, media),
        "says": f"A map of {words.count(len(found.rows), 'item')} by {words.listing([model_name(m) for m in models])}. "
        f"{gap_sentence(found)}",
    }


def opened(found: Map, collection: Collection | None, media: MediaRoute, point: int) -> str:
    """The item of a point, and what answers it or what it answers."""
    if collection is None:
        raise WorkbenchError("The collection of this map has been removed, so its items cannot be shown.")
    shown = [point, *answers_of(found, point)]
    boxes = "".join(_box(found, collection, media, one, first=one == point) for one in shown[: ANSWERS_SHOWN + 1])
    more = len(shown) - ANSWERS_SHOWN - 1
    rest = f'<p class="quiet small">… and {more:,} more.</p>' if more > 0 else ""
    return cards.card(f'<ul class="opened">{boxes}</ul>{rest}', label="Opened from the map")


def farthest(found: Map, collection: Collection | None) -> str:
    """The queries farthest from their right answers, by the last model: each opens its item."""
    models = found.about["models"]
    pairs = farthest_pairs(found, len(models) - 1, FARTHEST_SHOWN)
    if not pairs:
        return ""
    shown = list(dict.fromkeys([0, len(models) - 1]))
    rows = [
        [
            f'<button type="button" class="link" data-act="open" data-point="{query}">'
            f"{_item_words(found, collection, query)}</button>",
            _item_words(found, collection, document),
            *(words.number(cosines[model], 2) for model in shown),
        ]
        for query, document, cosines in pairs
    ]
    headers = ["Query", "Right answer", *(f">Cosine by {model_name(models[model])}" for model in shown)]
    table = cards.table(headers, rows, caption="Farthest from their answers")
    label = f"Farthest from their right answers, by {model_name(models[-1])}"
    return cards.card(table, label=label)


def _umap(found: Map, at_work: bool, can_umap: bool) -> str:
    if found.umap is not None:
        return ""
    if at_work:
        return '<p class="quiet small">UMAP is at work; its progress stands above.</p>'
    if not can_umap:
        return (
            '<p class="quiet small">The map is laid out by PCA. For UMAP install the package '
            "<code>umap-learn</code>.</p>"
        )
    button = cards.button("Lay out with UMAP too", "umap", identifier="evaluate-umap")
    return f'<div class="actions">{button}</div><p class="quiet small">{cards.text(ABOUT_UMAP)}</p>'


def _gone(missing: list[str]) -> str:
    names = words.listing([model_name(model) for model in missing])
    return f"Not on the map: {names}. What was encoded by it is gone; evaluate again to see it."


def _places(places: np.ndarray) -> list[list[list[float]]]:
    """For each model the x and the y of every point."""
    rounded = np.round(places.astype(np.float64), PLACE_DIGITS)
    return [[one[:, 0].tolist(), one[:, 1].tolist()] for one in rounded]


def _colour(colouring: Colouring) -> dict[str, Any]:
    labels = colouring.labels
    if colouring.title == "modality":
        labels = [words.modality(label) for label in labels]
    plain = [label in (OTHERS, NOTHING) for label in labels]
    tones = [("base" if grey else str(1 + number % 6)) for number, grey in enumerate(plain)]
    if labels == CORRECTNESS:
        tones = CORRECTNESS_TONES
    title = TITLES.get(colouring.title, colouring.title)
    return {"title": title, "labels": labels, "tones": tones, "codes": colouring.codes.tolist()}


def _items(found: Map, collection: Collection | None, media: MediaRoute) -> dict[str, list[str]]:
    """What is said of each point when the pointer is on it: its words, the address of its thumbnail, its kind."""
    texts, thumbs, kinds = [""] * len(found.rows), [""] * len(found.rows), [""] * len(found.rows)
    for number, (side, said) in enumerate((("queries", "query"), ("corpus", "document"))):
        points = np.flatnonzero(found.sides == number)
        if collection is None or not len(points):
            continue
        rows = found.rows[points].tolist()
        table = collection.side(side).select_columns(["text", "modality"])[rows]
        for point, row, text, modality in zip(points.tolist(), rows, table["text"], table["modality"], strict=True):
            texts[point] = (text or "")[:TEXT_SHOWN]
            kinds[point] = f"{said}, {words.modality(modality)}"
            if modality != "text":
                thumbs[point] = media.url(collection.name, collection.fingerprint, side, row, "thumb")
    return {"texts": texts, "thumbs": thumbs, "kinds": kinds}


def _box(found: Map, collection: Collection, media: MediaRoute, point: int, first: bool) -> str:
    side, row = found.item(point)
    item = collection.item(side, row)
    labels = collection.card.labels
    label = labels.get("query", "query") if side == "queries" else labels.get("document", "document")
    caption = ""
    if has_media(item) and (item.text or item.file):
        caption = f'<p class="caption" tabindex="0">{cards.text(item.text or item.file)}</p>'
    box = item_box(item, collection, side, row, media, key=f"map-{point}")
    marked = f"{label}, opened" if first else label
    return f'<li class="card item"><p class="label">{cards.text(marked)}</p>{box}{caption}</li>'


def _item_words(found: Map, collection: Collection | None, point: int) -> str:
    """An item in a cell of a table: its text, or the name of its file, or its kind."""
    if collection is None:
        return "–"
    side, row = found.item(point)
    item = collection.item(side, row)
    return cards.text((item.text or item.file or f"{words.modality(item.modality)} {item.id}")[:TEXT_SHOWN])
