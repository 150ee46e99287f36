"""The HTML of one result looked at closely: the item with its player, what is known of it, what lies near it."""

from __future__ import annotations

from workbench.index.fields import as_words
from workbench.index.look import Judged, Look
from workbench.index.results import Hit
from workbench.ui import cards, words
from workbench.ui.data_views import has_media, item_box
from workbench.ui.media_route import MediaRoute
from workbench.ui.search import feedback_views
from workbench.ui.search.views import captions

LONGEST_TITLE = 160
SOURCES = {"upload": "as uploaded", "mined": "mined", "reviewed": "by review", "feedback": "by a thumb in Search"}


def panel(look: Look, hit: Hit | None, asked: str, verdict: str, media_route: MediaRoute, why_html: str = "") -> str:
    """The whole panel. hit: as the search found it, None for a neighbour. asked: the search it was opened from."""
    names = captions(look.collection, [look.item.id, *(one.id for one in look.nearest)])
    title = look.item.file or names.get(look.item.id) or words.modality(look.item.modality).capitalize()
    close = f'<button type="button" class="button" data-act="close" id="item-close">{cards.icon("close")}Close</button>'
    thumbs = feedback_views.buttons(hit, asked, verdict) if hit is not None else ""
    said = look.item.text if has_media(look.item) else ""
    caption = said or names.get(look.item.id, "")
    below = f'<p class="caption" tabindex="0">{cards.text(caption)}</p>' if caption and has_media(look.item) else ""
    about = _facts(look, hit) + thumbs + _actions(look, asked, bool(why_html))
    return (
        f'<section class="card panel looked" data-item="{cards.text(look.item.id)}" aria-labelledby="item-title">'
        f'<div class="split line"><h2 class="title" id="item-title" tabindex="-1">{cards.text(title)}</h2>{close}</div>'
        f'<div class="looking"><div class="shown">{_large(look, media_route)}{below}</div>'
        f'<div class="about">{about}</div></div><div id="item-why" tabindex="-1">{why_html}</div>'
        f"{_judged(look)}{_nearest(look, names, asked, media_route)}</section>"
    )


def _large(look: Look, media_route: MediaRoute) -> str:
    """The item as large as it is of use, with the browser's own player."""
    item, collection = look.item, look.collection
    made = ""
    for kind in ("video", "image", "audio"):
        if getattr(item, kind) is None:
            continue
        address = media_route.url(collection.name, collection.fingerprint, "corpus", look.row, kind)
        full, name = cards.text(address), cards.text(item.file or words.modality(kind))
        if kind == "image":
            made += f'<a href="{full}" target="_blank" rel="noopener"><img src="{full}" alt="{name}"></a>'
        elif kind == "audio":
            thumb = media_route.url(collection.name, collection.fingerprint, "corpus", look.row, "thumb")
            drawn = f'<img class="wave" src="{cards.text(thumb)}" alt="">' if item.thumbnail else ""
            made += f'{drawn}<audio controls preload="metadata" src="{full}" aria-label="{name}"></audio>'
        else:
            made += f'<video controls preload="metadata" src="{full}" aria-label="{name}"></video>'
    return made or cards.words_box(item.text or "")


def _facts(look: Look, hit: Hit | None) -> str:
    """Rank and scores, then what the collection knows of the item."""
    facts = [("Kind", words.modality(look.item.modality))]
    if hit is not None:
        facts = [("Rank", f"{hit.rank}, was {hit.first_rank}" if hit.moved else str(hit.rank)), *facts]
        facts.append(("Similarity", words.number(hit.first_score)))
        if hit.rerank_score is not None:
            facts.append(("Reranker", words.number(hit.rerank_score)))
    facts += [(str(name), as_words(value)) for name, value in look.item.meta.items() if value not in (None, "")]
    if look.item.file:
        facts.append(("File", look.item.file))
    facts.append(("Id", look.item.id))
    rows = "".join(f"<div><dt>{cards.text(name)}</dt><dd>{cards.text(value)}</dd></div>" for name, value in facts)
    return f'<dl class="known" tabindex="0" aria-label="What is known of it">{rows}</dl>'


def _actions(look: Look, asked: str, explained: bool) -> str:
    document = look.item.id
    more = cards.button("More like this", "more", identifier="item-more", asked=asked, document=document)
    less = cards.button("Less like this", "less", identifier="item-less", asked=asked, document=document)
    why = cards.button("Why this result", "why", identifier="item-explain", asked=asked, document=document)
    return f'<div class="actions">{more}{less}{"" if explained or look.item.video else why}</div>'


def _judged(look: Look) -> str:
    if not look.judged:
        return (
            '<div class="rights"><h3 class="label">Judgements</h3>'
            '<p class="quiet small">Nobody has judged it yet. A thumb makes a judgement.</p></div>'
        )
    listed = "".join(_judgement(one) for one in look.judged)
    more = look.judged_in_all - len(look.judged)
    rest = f'<p class="quiet small">And {words.count(more, "other judgement")}.</p>' if more else ""
    title = words.count(look.judged_in_all, "judgement")
    return f'<div class="rights"><h3 class="label">{title}</h3><ul class="judgements">{listed}</ul>{rest}</div>'


def _judgement(judged: Judged) -> str:
    sign = cards.chip("Right", "good", "tick") if judged.score > 0 else cards.chip("Not an answer", "", "close")
    said = judged.text or f"a {words.modality(judged.modality)}"
    held = ", held out for the score" if judged.split == "eval" else ""
    return (
        f'<li>{sign}<span class="said">{cards.text(said)}</span>'
        f'<span class="quiet small">{cards.text(SOURCES.get(judged.source, judged.source))}{held}</span></li>'
    )


def _nearest(look: Look, names: dict[str, str], asked: str, media_route: MediaRoute) -> str:
    boxes = "".join(_near(look, hit, names.get(hit.id, ""), asked, media_route) for hit in look.nearest if hit.row >= 0)
    if not boxes:
        return ""
    return f'<div class="rights"><h3 class="label">Nearest to it</h3><ul class="near">{boxes}</ul></div>'


def _near(look: Look, hit: Hit, name: str, asked: str, media_route: MediaRoute) -> str:
    item = look.collection.item("corpus", hit.row)
    box = item_box(item, look.collection, "corpus", hit.row, media_route, "near")
    said = (item.text if has_media(item) else "") or name or item.file or item.id
    button = (
        f'<button type="button" class="opens" data-act="open" data-asked="{cards.text(asked)}" '
        f'data-document="{cards.text(hit.id)}" id="near-{hit.rank}">{cards.text(said[:120])}</button>'
    )
    return f'<li class="card item">{box}{button}<span class="small quiet">{words.number(hit.score, 2)}</span></li>'
