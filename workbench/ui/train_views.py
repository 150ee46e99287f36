"""The HTML of the Train tab: what will be learned, from what, and how, in words."""

from __future__ import annotations

from typing import Any

from workbench.collection.store import Card
from workbench.doctor.mended import Standing
from workbench.errors import WorkbenchError
from workbench.models.vectors import halvings
from workbench.ui import cards, words
from workbench.ui.choices import model_name


def nothing() -> str:
    """The tab before there is a collection."""
    return cards.heading("Train") + cards.empty(
        "Bring pairs first: a model learns from what people ask and what they should find.",
        cards.button("Bring pairs", "", primary=True, open_tab="data"),
    )


def top(card: Card) -> str:
    """Teach a model that, given caption, it should find picture."""
    query, document = sides(card)
    return cards.heading(
        "Train", f"Teach a model that, given <b>{cards.text(query)}</b>, it should find <b>{cards.text(document)}</b>."
    )


def doubts(standing: Standing | None) -> str:
    """What the last check says should be mended before training; starting all the same is the user's right."""
    found = standing.blocking if standing else []
    if not found:
        return ""
    listed = [finding.sentence for finding in found]
    return cards.notice("Mend this first, or start anyhow:", listed, tone="warn", closable=False) + (
        f'<div class="actions">{cards.button("Look at it in Check", "check", identifier="train-check")}</div>'
    )


def sides(card: Card) -> tuple[str, str]:
    """The user's words for the two sides."""
    return card.labels.get("query", "query"), card.labels.get("document", "document")


def about(described: dict[str, Any]) -> str:
    """The model in one line: what it takes, how large it is."""
    chips = "".join(cards.chip(words.modality(name)) for name in described.get("modalities") or ())
    facts = [
        f"{described['parameters'] / 1e6:,.3g} M parameters" if described.get("parameters") else "",
        f"{described['dimension']:,} dimensions" if described.get("dimension") else "",
        described.get("words") or "",
    ]
    line = " · ".join(fact for fact in facts if fact)
    return f'<div class="chips">{chips}</div><p class="quiet small">{cards.text(line)}</p>'


def lesson(card: Card, spec: dict[str, Any], described: dict[str, Any]) -> str:
    """How it will learn, in a sentence or two."""
    return cards.card(f"<p>{cards.text(lesson_words(card, spec, described))}</p>", label="How it will learn")


def lesson_words(card: Card, spec: dict[str, Any], described: dict[str, Any]) -> str:
    """The lesson without its card, not escaped: why so, at which sizes, against what, and what is scored first."""
    settings = spec["settings"]
    parts = [spec["objective_words"]]
    if spec["kind"] == "embedder" and settings["matryoshka"]:
        sizes = settings["matryoshka_dimensions"] or halvings(int(described.get("dimension") or 0))
        if len(sizes) > 1:
            parts.append(f"It does so at {words.listing([str(size) for size in sizes])} dimensions at once.")
    if share := settings.get("thaw_after"):
        rest = ", then everything" if share < 1 else ""
        parts.append(f"For the first {share:.0%} of the steps only the new projections learn{rest}.")
    if spec["kind"] == "reranker":
        _, document = sides(card)
        wrong = words.count(settings["negatives_per_query"], f"wrong {document}")
        first = model_name(str(spec.get("first_stage", "the embedder")))
        parts.append(f"Each right {document} comes with {wrong}, among them those that {first} took for right.")
    parts.append("The untouched model is scored first, so that you see whether it helped.")
    return " ".join(parts)


def cannot(error: WorkbenchError) -> str:
    """Why this choice cannot be trained."""
    return cards.notice(error.message, error.problems, closable=False)


def summary(card: Card, spec: dict[str, Any]) -> str:
    """What will be done: pairs, passes, steps, held-out part."""
    settings, pairs = spec["settings"], card.counts.get("train", 0)
    steps = max(1, round(pairs * settings["epochs"] / settings["batch_size"] / settings["gradient_accumulation"]))
    if settings["max_steps"]:
        steps = min(steps, settings["max_steps"])
    rows = [
        ["Training pairs", f"{pairs:,}"],
        ["Passes", f"{settings['epochs']:g}"],
        ["Steps, about", f"{steps:,}"],
        ["Held-out pairs", f"{card.counts.get('eval', 0):,}"],
    ]
    body = "".join(f"<dt>{cards.text(name)}</dt><dd>{cards.text(value)}</dd>" for name, value in rows)
    return f'<h2 class="label">This run</h2><dl class="facts">{body}</dl>'
