"""The HTML of the part "Index": figures and facts, the recall curve, what can be done, what was found and written."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from workbench.index.life import Behind
from workbench.index.registry import IndexCard
from workbench.index.state import State
from workbench.job_folder import JobFolder
from workbench.ui import cards, plots, words
from workbench.ui.choices import model_name
from workbench.ui.downloads import Downloads
from workbench.ui.search.views import contents

AGES = ((60, "minute"), (3600, "hour"), (86400, "day"))
JOB_WORDS = {
    "update": "Bringing “{}” up to date",
    "compact": "Compacting “{}”",
    "reembed": "Reading “{}” again",
    "verify-index": "Looking through “{}”",
    "export-index": "Writing “{}” to take it elsewhere",
}
SEVERITY = {"wrong": ("bad", "bad", "wrong"), "note": ("", "info", "note")}


def top(card: IndexCard, found: State) -> str:
    """The figures that matter, and the facts below them."""
    exact = card.kind == "exact"
    figures = [
        ("Items", f"{card.rows:,}"),
        ("On disk", words.size(card.bytes)),
        ("A vector", f"{card.dimension:,} × {card.precision}"),
        ("Recall@10", "exact" if exact else words.number(card.recall)),
    ]
    if not found.there:
        gone = f"The files of this index are not at {found.place}. Make it again, or look where indexes lie."
        return cards.notice(gone, closable=False) + cards.stats(figures)
    facts = [
        ("Holds", contents(card)),
        ("Read by", model_name(card.model)),
        ("Search", _searched(card)),
        ("Full text", words.count(card.full_text, "item") if card.full_text else "none"),
        ("Pieces", f"{found.fragments:,}"),
        ("Versions kept", f"{found.versions:,}"),
        ("Made", f"{age(card.created)}, in {words.duration(card.seconds)}"),
        ("Lies in", found.place),
    ]
    listed = "".join(f"<dt>{cards.text(name)}</dt><dd>{cards.text(value)}</dd>" for name, value in facts)
    return cards.stats(figures) + cards.card(f'<dl class="index-facts">{listed}</dl>', label="What it is")


def _searched(card: IndexCard) -> str:
    """How a search goes about it."""
    if card.kind == "exact":
        return "every item is compared"
    if card.kind == "BINARY":
        return "the signs of every vector first, then the best of them whole"
    return f"{card.kind}, {card.probes} parts looked into"


def age(created: float) -> str:
    """just now, 5 minutes ago, 3 days ago."""
    seconds = max(0.0, time.time() - created)
    if seconds < AGES[0][0]:
        return "just now"
    size, name = next((size, name) for size, name in reversed(AGES) if seconds >= size)
    return f"{words.count(int(seconds // size), name)} ago"


def curve(card: IndexCard) -> dict[str, Any]:
    """Recall@10 against the time of a query, one point an effort; None where every item is compared."""
    points = [(one["milliseconds"], one["recall"]) for one in sorted(card.efforts, key=lambda one: one["milliseconds"])]
    lines = [plots.line("recall@10", points, markers=True)]
    if points:
        ends = [(points[0][0], card.wished), (points[-1][0], card.wished)]
        lines.append(plots.line(f"wished: {card.wished:g}", ends, tone=plots.FLOOR, label=f"wished {card.wished:g}"))
    says = "; ".join(f"{words.number(y)} in {words.milliseconds(x)}" for x, y in points)
    return plots.figure(
        "recall@10", "milliseconds a query", lines, from_zero=False, says=f"Recall against time. {says}"
    )


def efforts(card: IndexCard) -> str:
    """What each effort finds, the one that searches use marked."""
    if not card.efforts:
        return ""
    rows, marked = [], set()
    for place, one in enumerate(card.efforts):
        if (one["probes"], one["refine"]) == (card.probes, card.refine):
            marked.add(place)
        rows.append(
            [f"{one['probes']:,}", f"{one['refine']:,}", f"<b>{words.number(one['recall'])}</b>",
             words.milliseconds(one["milliseconds"])]
        )  # fmt: skip
    said = (
        "Measured on its own vectors against comparing every item. Searches use the marked effort: the cheapest that "
        f"surely finds {100 * card.wished:g} % of the true first ten, or else the best."
    )
    headers = [">Parts", ">Candidates", ">Recall@10", ">A query"]
    table = cards.table(headers, rows, caption="What each effort finds", marked=marked)
    return cards.card(f'{table}<p class="quiet small">{said}</p>', label="What a search finds")


def care(card: IndexCard, found: State, behind: Behind) -> str:
    """Update, compact and go back, each with why."""
    update = cards.button("Update", "update", primary=bool(behind), identifier="index-update", name=card.name)
    pieces = f"It lies in {words.count(found.fragments, 'piece')}; one is searched fastest."
    if found.unindexed:
        pieces += f" {words.count(found.unindexed, 'item')} outside the search structure."
    lines = [
        _line(
            "Follow its collection",
            behind.words or "It holds what its collection holds.",
            "" if behind.gone else update,
        ),
        _line("Compact it", pieces, cards.button("Compact", "compact", identifier="index-compact", name=card.name)),
    ]
    before = card.before
    if before is not None:
        said = (
            f"{before.rows:,} items, read by {model_name(before.model)} at {before.dimension:,} × {before.precision}, "
            f"made {age(before.created)}. It is kept, and you can go there and back."
        )
        back = cards.button("Go back", "rollback", identifier="index-rollback", name=card.name)
        lines.append(_line("The state before", said, back))
    return cards.card(_listed("Keep it in order", lines))


def again(card: IndexCard) -> str:
    """What reading it again does."""
    said = (
        f"The same model or another reads the collection anew. “{card.name}” stays searchable meanwhile; then the new "
        "one takes its place, and this one is kept to go back to."
    )
    return f'<div><h2 class="title">Read it again</h2><p class="quiet">{cards.text(said)}</p></div>'


def looked(card: IndexCard, job: JobFolder | None) -> str:
    """Verify, and what it found."""
    said = "Looks through every row: its id, its text or media, its vector, and whether the model is still the same."
    line = _line(
        "Look through it", said, cards.button("Verify", "verify-index", identifier="index-verify", name=card.name)
    )
    return cards.card(line + (_findings(card, job) if job else ""))


def _findings(card: IndexCard, job: JobFolder) -> str:
    result = job.result()
    if job.status().state != "finished" or not result:
        return ""  # its card stands above
    when = float(job.job.get("created") or 0)
    stale = "" if result["table"] == card.table else " The index has changed since."
    looked = f"{result['rows']:,} rows looked at {age(when)}, in {words.duration(result['seconds'])}.{stale}"
    if not result["findings"]:
        return cards.notice(f"Nothing is wrong. {looked}", tone="good", closable=False)
    rows = ""
    for one in result["findings"]:
        tone, sign, label = SEVERITY[one["severity"]]
        examples = f"For example {', '.join(one['examples'])}" if one["examples"] else ""
        rows += (
            f'<li><div class="found">{cards.chip(label, tone, sign)}<div><p>{cards.text(one["words"])}</p>'
            f'<p class="quiet small prewrap">{cards.text(examples)}</p></div></div></li>'
        )
    return f'<ul class="lines" aria-label="Findings">{rows}</ul><p class="quiet small">{cards.text(looked)}</p>'


def written(card: IndexCard, job: JobFolder | None, downloads: Downloads) -> str:
    """Export, and the files it wrote."""
    said = "Parquet with ids, vectors, texts and metadata, for Qdrant, Milvus, Weaviate, Pinecone or any script."
    done = job is not None and job.status().state == "finished" and bool(job.result())
    label = "Write it again" if done else "Write it"
    button = cards.button(label, "export-index", identifier="index-export", name=card.name)
    return cards.card(_line("Take it elsewhere", said, button) + (_files(card, job, downloads) if done and job else ""))


def _files(card: IndexCard, job: JobFolder, downloads: Downloads) -> str:
    result = job.result() or {}
    folder = downloads.here(Path(str(result["folder"])))
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    if not files:
        return ""
    when = float(job.job.get("created") or 0)
    stale = "" if result["table"] == card.table else " The index has changed since."
    links = "".join(
        f'<li><a href="{cards.text(downloads.url(file))}" download>{cards.text(file.name)}</a> '
        f'<span class="quiet small">{words.size(file.stat().st_size)}</span></li>'
        for file in files
    )
    where = f"Written {age(when)} to exports/{folder.name} in the workspace.{stale}"
    return f'<ul class="files">{links}</ul><p class="quiet small">{cards.text(where)}</p>'


def index_of(job: JobFolder) -> str:
    """The index that a job works on."""
    return str(job.spec.get("index") or job.spec.get("name") or "")


def job_title(job: JobFolder) -> str:
    """What a job on an index does, for its card."""
    said = JOB_WORDS.get(str(job.spec.get("action") or job.work))
    return said.format(index_of(job)) if said else f"Making {job.spec.get('collection', '')} searchable"


def remove(card: IndexCard) -> str:
    """Remove, which says first what goes with it."""
    too = " and the state before it" if card.before else ""
    consequence = (
        f"This deletes the index “{cards.text(card.name)}” of {card.rows:,} items{too}. Collection and model stay; "
        "making it again reads every item anew."
    )
    return cards.foot("", cards.remove("index", consequence, card.name))


def _listed(title: str, lines: list[str]) -> str:
    items = "".join(f"<li>{one}</li>" for one in lines)
    return f'<h2 class="title">{cards.text(title)}</h2><ul class="lines">{items}</ul>'


def _line(title: str, said: str, button_html: str) -> str:
    return (
        f'<div class="split line"><div><h3 class="title">{cards.text(title)}</h3>'
        f'<p class="quiet">{cards.text(said)}</p></div>{button_html}</div>'
    )
