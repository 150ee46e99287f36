"""The HTML of the Evaluate tab: which size to ship, the table, the directions, the verdicts, who gained and lost."""

from __future__ import annotations

from typing import Any

from workbench.collection.store import Collection
from workbench.evaluation import report
from workbench.evaluation.evaluate import EvaluationCard
from workbench.evaluation.held_out import ALL
from workbench.ui import cards, plots, words
from workbench.ui.choices import model_name

CHANGES_SHOWN = 5


def nothing(has_collection: bool) -> str:
    """The tab before the first evaluation."""
    if not has_collection:
        return cards.heading("Evaluate") + cards.empty(
            "Import a collection first; its held-out part is what models are scored on.",
            cards.button("Bring pairs", "", primary=True, open_tab="data"),
        )
    lead = "Score models on the held-out part of your collection, side by side and at every size."
    return cards.heading("Evaluate", cards.text(lead))


def top(listed: list[EvaluationCard], shown: EvaluationCard, evaluation: dict[str, Any]) -> str:
    """The question this tab answers, what was measured, and the select of evaluations."""
    first = report.rows_of(evaluation)[0]
    queries = words.count(first["queries"], "held-out query", "held-out queries")
    lead = (
        f"{queries} of <b>{cards.text(shown.collection)}</b> against {words.count(first['documents'], 'document')}. "
        "Each model read the collection once; every size comes from the same vectors."
    )
    options = ((card.name, f"{card.name} · {words.clock(card.created)}") for card in listed)
    choice = cards.chooser("evaluation", "Evaluation", options, shown.name)
    return f'<div class="split top">{cards.heading("Which size should I ship?", lead)}{choice}</div>'


def is_tuned(reference: str) -> bool:
    """Whether a model is a run of ours; all others are untouched."""
    return reference.startswith("run:")


def tones(models: list[str]) -> dict[str, str]:
    """The series colour of each model: grey for untouched ones, the accent for the first tuned one."""
    found: dict[str, str] = {}
    for model in models:
        tuned = sum(tone != plots.BASE for tone in found.values())
        found.setdefault(model, str(min(tuned + 1, 4)) if is_tuned(model) else plots.BASE)
    return found


def plot(evaluation: dict[str, Any]) -> dict[str, Any]:
    """NDCG@10 against dimension, one line a model, of the first precision."""
    precision = evaluation["results"][0]["precision"]
    found = report.series(evaluation, precision=precision)
    tone = tones([line.model for line in found])
    lines = [
        plots.line(
            model_name(line.model),
            list(zip(line.dimensions, line.ndcg, strict=True)),
            tone=tone[line.model],
            intervals=list(zip(line.low, line.high, strict=True)) if is_tuned(line.model) else (),
            label=model_name(line.model) if is_tuned(line.model) else f"untouched {line.model}",
            markers=is_tuned(line.model),
        )
        for line in found
    ]
    says = "; ".join(f"{model_name(line.model)}: {line.ndcg[-1]:.3f} at {line.dimensions[-1]}" for line in found)
    return plots.figure("NDCG@10", "dimensions kept", lines, log_x=True, says=f"NDCG@10 against dimensions. {says}")


def advice(evaluation: dict[str, Any]) -> str:
    """The smallest size that loses next to nothing, and what it saves."""
    found = report.recommend(evaluation)
    kept = 100 * found.ndcg / found.best_ndcg if found.best_ndcg else 100.0
    rows = [[f"{found.best_dimension} × {found.best_precision}", words.size(100e6 * found.best_bytes)]]
    marked = {0}
    if (found.dimension, found.precision) != (found.best_dimension, found.best_precision):
        rows.append([f"{found.dimension} × {found.precision}", words.size(100e6 * found.bytes)])
        marked = {1}
    cells = [[cards.text(cell) for cell in row] for row in rows]
    saying = (
        f"<b>{cards.text(model_name(found.model))}</b> at this size keeps <b>{kept:.1f} %</b> of the best score"
        + (f" in vectors {found.best_bytes / found.bytes:.3g} times smaller" if marked == {1} else "")
        + "."
    )
    unsure = "" if found.sure else '<p class="quiet small">More held-out queries would make this certain.</p>'
    return cards.card(
        f'<div class="figure"><span class="value">{found.dimension} × {cards.text(found.precision)}</span></div>'
        f"<p>{saying}</p>{unsure}"
        + cards.table(["At 100 million items", ">memory"], cells, caption="Memory at 100 million items", marked=marked),
        label="Recommendation",
    )


def result(evaluation: dict[str, Any], collection: Collection | None) -> str:
    """Verdicts, the table of sizes, the directions, gained and lost, and Remove."""
    name = evaluation["evaluation"]
    remove = cards.remove(
        "evaluation",
        f"This deletes the numbers of “{cards.text(name)}”. Models and collections stay; evaluating again is quick "
        "while their vectors are kept.",
        name,
    )
    parts = [_verdicts(evaluation), _sizes(evaluation), _directions(evaluation), _changes(evaluation, collection)]
    return "".join(parts) + cards.foot(f"Evaluation {name}, {words.clock(evaluation.get('created'))}", remove)


def _told_apart(evaluation: dict[str, Any]) -> list[str]:
    """The directions to show: the uploaded one is left out where one of the others is just the same."""
    names = report.directions(evaluation)
    scored = {
        name: [(row["model"], row["queries"], row["documents"], row["metrics"]) for row in rows]
        for name in names
        if (rows := report.rows_of(evaluation, name))
    }
    again = any(scored[name] == scored.get(ALL) for name in scored if name != ALL)
    return [name for name in names if not (again and name == ALL)]


def _verdicts(evaluation: dict[str, Any]) -> str:
    shown = _told_apart(evaluation)
    rows = [
        [
            cards.verdict_chip(one["verdict"]),
            f"<b>{cards.text(model_name(one['b']))}</b> against {cards.text(model_name(one['a']))}",
            cards.text(words.direction(one["direction"])),
            words.signed(one["difference"]),
            words.interval(one["interval"]),
        ]
        for one in evaluation["comparisons"]
        if one["direction"] in shown
    ]
    if not rows:
        return ""
    headers = ["Verdict", "Models", "Direction", ">NDCG@10", ">95 % interval"]
    return cards.card(cards.table(headers, rows, caption="Comparisons"), label="Did it help?")


def _sizes(evaluation: dict[str, Any]) -> str:
    found = report.recommend(evaluation)
    chosen = (found.model, found.dimension, found.precision)
    rows, marked = [], set()
    for place, row in enumerate(report.table(evaluation)):
        if (row["model"], row["dimension"], row["precision"]) == chosen:
            marked.add(place)
        rows.append(
            [
                cards.text(model_name(row["model"])),
                f"{row['dimension']:,}",
                cards.text(row["precision"]),
                f"<b>{words.number(row['ndcg@10'])}</b>",
                words.interval(row["interval"]),
                words.number(row.get("recall@10")),
                words.size(row["bytes"]),
                f"{100 * row['kept']:.1f} %",
            ]
        )
    headers = [
        "Model",
        ">Dimensions",
        "Precision",
        ">NDCG@10",
        ">95 % interval",
        ">Recall@10",
        ">A vector",
        ">Of its best",
    ]
    return cards.card(cards.table(headers, rows, caption="Sizes", marked=marked), label="Every size")


def _directions(evaluation: dict[str, Any]) -> str:
    names = _told_apart(evaluation)
    if len(names) < 2:
        return ""
    rows = []
    for name in names:
        found = report.rows_of(evaluation, name)
        for model in dict.fromkeys(row["model"] for row in found):
            row = max((row for row in found if row["model"] == model), key=lambda row: row["dimension"])
            metrics = row["metrics"]
            rows.append(
                [
                    cards.text(words.direction(name)),
                    cards.text(model_name(model)),
                    f"{row['queries']:,}",
                    f"{row['documents']:,}",
                    f"<b>{words.number(metrics.get('ndcg@10'))}</b>",
                    *(words.number(metrics.get(key)) for key in ("mrr@10", "recall@1", "recall@10", "recall@100")),
                ]
            )
    headers = [
        "Direction",
        "Model",
        ">Queries",
        ">Documents",
        ">NDCG@10",
        ">MRR@10",
        ">Recall@1",
        ">Recall@10",
        ">Recall@100",
    ]
    return cards.card(cards.table(headers, rows, caption="Directions"), label="Every direction, at full size")


def _changes(evaluation: dict[str, Any], collection: Collection | None) -> str:
    models = list(dict.fromkeys(row["model"] for row in evaluation["results"]))
    if len(models) < 2:
        return ""
    cells = []
    for model in (models[0], models[-1]):
        row = max(
            (row for row in report.rows_of(evaluation) if row["model"] == model), key=lambda row: row["dimension"]
        )
        cells.append((model, row["dimension"], row["precision"]))
    gained, lost = report.changes(evaluation, cells[0], cells[1], collection=collection, count=CHANGES_SHOWN)
    boxes = ""
    for title, found in (("Gained most", gained), ("Lost most", lost)):
        rows = [
            [cards.text(change.text or change.id), f"{_rank(change.rank_before)} → {_rank(change.rank_after)}"]
            for change in found
        ]
        body = (
            cards.table(["Query", ">Rank of the right answer"], rows, caption=title)
            if rows
            else ('<p class="quiet">None.</p>')
        )
        boxes += cards.card(body, label=title)
    return f'<div class="two">{boxes}</div>'


def _rank(rank: int | None) -> str:
    return "100+" if rank is None else str(rank)
