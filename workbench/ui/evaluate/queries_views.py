"""The HTML of “Gained and lost”: which models are compared, and the queries that changed most, each a button."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.collection.store import Collection
from workbench.evaluation import report
from workbench.evaluation.report import Change
from workbench.ui import cards, words
from workbench.ui.choices import model_name
from workbench.ui.evaluate.compared import Compared, models_of
from workbench.ui.evaluate.views import Shown
from workbench.ui.media_route import MediaRoute


def alone() -> str:
    """One model has nothing to gain against."""
    button = '<button type="button" class="button primary" data-unfold="evaluate-form">Evaluate another model</button>'
    return cards.empty("Evaluate two models to see which queries gained and which lost.", button)


def choice(evaluation: dict[str, Any], compared: Compared) -> str:
    """The selects of the two models and of the direction."""
    models = [(model, model_name(model)) for model in models_of(evaluation)]
    directions = [(name, words.direction(name)) for name in report.directions(evaluation)]
    selects = _select("before", "From", models, compared.before) + _select("after", "To", models, compared.after)
    if len(directions) > 1:
        selects += _select("direction", "Direction", directions, compared.direction)
    return f'<div class="fields">{selects}</div>'


def _select(name: str, label: str, options: Sequence[tuple[str, str]], chosen: str) -> str:
    return (
        f'<label><span>{cards.text(label)}</span><select name="{name}" id="compared-{name}" data-act="choose">'
        f"{cards.options_of(options, chosen)}</select></label>"
    )


def changes(
    shown: Shown, media_route: MediaRoute, found: tuple[list[Change], list[Change]], opened: str, count: int
) -> str:
    """Two lists, at most `count` queries each, the largest change first. opened: the id of the query whose panel is."""
    boxes = ""
    for kind, title, listed in zip(("gained", "lost"), ("Gained most", "Lost most"), found, strict=True):
        rows = [
            _row(shown.collection, media_route, change, f"{kind}-{place}", opened)
            for place, change in enumerate(listed[:count])
        ]
        body = f'<ol class="changes">{"".join(rows)}</ol>' if rows else '<p class="quiet">None.</p>'
        boxes += cards.card(body, label=title)
    more = any(len(listed) > count for listed in found)
    button = (
        f'<div class="actions">{cards.button("Show more", "more", identifier="changes-more")}</div>' if more else ""
    )
    legend = "Each with the rank of its first right answer before and after, and the change of its NDCG@10."
    told = f'<p class="quiet small">{legend} Press one to see what was found.</p>'
    return f'<input type="hidden" name="shown" value="{count}">{told}<div class="two">{boxes}</div>{button}'


def _row(collection: Collection | None, media_route: MediaRoute, change: Change, key: str, opened: str) -> str:
    said = change.text or (words.modality(change.modality).capitalize() if change.modality else change.id)
    ranks = f"{rank(change.rank_before)} → {rank(change.rank_after)}"
    heard = (
        f"first right answer from rank {rank(change.rank_before)} to {rank(change.rank_after)}, "
        f"NDCG@10 {words.signed(change.difference, 2)}"
    )
    tone, arrow = ("good", "up") if change.difference > 0 else ("bad", "down")
    return (
        f'<li><button type="button" class="change" data-act="open" data-query="{cards.text(change.id)}" '
        f'id="change-{key}" aria-expanded="{str(bool(opened) and change.id == opened).lower()}">'
        f'{_thumb(collection, media_route, change)}<span class="said">{cards.text(said)}</span>'
        f'<span class="ranks" aria-hidden="true" title="{cards.text(heard)}">{ranks}</span>'
        f'<span class="moved {tone}" aria-hidden="true">{cards.icon(arrow)}{abs(change.difference):.2f}</span>'
        f'<span class="unseen">, {cards.text(heard)}</span></button></li>'
    )


def _thumb(collection: Collection | None, media_route: MediaRoute, change: Change) -> str:
    """A small picture of the query, where it has one."""
    if collection is None or change.modality in ("", "text"):
        return ""
    row = (collection.query_rows if change.side == "queries" else collection.document_rows)[change.id]
    kind = "image" if "image" in change.modality else "thumb"
    if collection.item(change.side, row).thumbnail is not None:
        kind = "thumb"
    address = media_route.url(collection.name, collection.fingerprint, change.side, row, kind)
    return f'<img src="{cards.text(address)}" alt="" loading="lazy" decoding="async">'


def rank(value: int | None) -> str:
    """A rank, or that it is beyond those that are looked at."""
    return "100+" if value is None else str(value)
