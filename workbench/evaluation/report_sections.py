"""The sections of a report in plain values: titles, sentences, tables and charts. Nothing here is escaped yet."""

from __future__ import annotations

from typing import Any

from workbench.evaluation.report_parts import Section, Table
from workbench.evaluation.report_sizes import directions, sizes
from workbench.evaluation.report_words import count, direction, interval, model, number, signed
from workbench.evaluation.statistics import queries_needed, smallest_seen

SMALL_DIFFERENCE = 0.02
METHOD = (
    "Intervals are 95 % bootstrap intervals (expanded percentiles) over the queries. A verdict is better or worse only "
    "where the whole interval of the paired difference lies on one side of zero and a paired permutation test gives p "
    "below 0.05, corrected after Holm where several models are compared. The queries are the sample: the interval says "
    "where the mean would lie had other queries of the same kind been held out."
)


def sections(said: dict[str, Any]) -> list[Section]:
    """Those that the evaluation has something for, in order. said: as `report_content.gather` makes it."""
    made = [verdicts(said), sizes(said), directions(said), slices(said), floors(said), pipelines(said), about(said)]
    return [one for one in made if one is not None]


def verdicts(said: dict[str, Any]) -> Section:
    """Whether it helped."""
    told = [one for one in said["comparisons"] if one["direction"] in said["shown"]]
    if not told:
        return Section("Did it help", ["One model was evaluated, so there is nothing to compare it with."])
    rows = [
        [
            one["verdict"], model(one["b"]), model(one["a"]), direction(one["direction"]), signed(one["difference"]),
            interval(one["interval"]), f"{one.get('p_holm', one['p']):.4f}", f"{one['queries']:,}",
        ]
        for one in told
    ]  # fmt: skip
    headers = ["Verdict", "Model", "Against", "Direction", ">NDCG@10", ">95 % interval", ">p", ">Queries"]
    widest = max((one for one in told if one.get("spread")), key=_seen, default=None)
    notes = []
    if widest is not None:
        notes.append(
            f"{count(widest['queries'], 'query', 'queries')} ({direction(widest['direction'])}) show a difference of "
            f"{number(_seen(widest))} in four of five cases. To see one of {SMALL_DIFFERENCE} takes "
            f"{count(queries_needed(widest['spread'], SMALL_DIFFERENCE), 'query', 'queries')}."
        )
    return Section("Did it help", tables=[Table(headers, rows, "Comparisons")], notes=[*notes, METHOD], name="verdicts")


def _seen(one: dict[str, Any]) -> float:
    return smallest_seen(one["spread"], one["queries"])


def slices(said: dict[str, Any]) -> Section | None:
    """Where it is good and where not."""
    rows = said.get("slices") or []
    tables = []
    for family in dict.fromkeys(row["family"] for row in rows):
        cells = [
            [
                row["value"], model(row["model"]), f"{row['queries']:,}{' (few)' if row['small'] else ''}",
                number(row["ndcg@10"]), interval(row["interval"]), *_compared(row.get("comparison")),
            ]
            for row in rows
            if row["family"] == family
        ]  # fmt: skip
        headers = ["Group", "Model", ">Queries", ">NDCG@10", ">95 % interval", *COMPARED]
        title = f"By {FAMILIES.get(family, family)}"
        tables.append(Table(headers, cells, title, title))
    notes = ["Differences are from the first model, corrected for how many groups were looked at."]
    return Section("Where it is good and where not", tables=tables, notes=notes, name="slices") if tables else None


FAMILIES = {
    "modality": "the kind of query",
    "answer": "the kind of answer",
    "length": "the length of the query",
    "language": "the language of the query",
    "seen": "whether an answer was seen in training",
}
COMPARED = ("Verdict", ">Difference", ">Its 95 % interval", ">p")


def _compared(one: dict[str, Any] | None) -> list[str]:
    """The cells under COMPARED; empty for what is compared with nothing."""
    if one is None:
        return [""] * len(COMPARED)
    p = one.get("p_holm", one["p"])
    return [one["verdict"], signed(one["difference"]), interval(one["interval"]), f"{p:.4f}"]


def floors(said: dict[str, Any]) -> Section | None:
    """What a model must beat."""
    rows = [row for row in said.get("floors") or [] if row["direction"] in said["shown"]]
    if not rows:
        return None
    cells = [
        [FLOORS.get(row["model"], row["model"]), direction(row["direction"]), number(row["metrics"]["ndcg@10"]),
         interval(row["interval"])]
        for row in rows
    ]  # fmt: skip
    lead = "Full text finds what shares rare words with the query; guessing is the bottom of the scale."
    tables = [Table(["Floor", "Direction", ">NDCG@10", ">95 % interval"], cells, "Floors")]
    against = [
        [model(one["model"]), direction(row["direction"]), *_compared(one)]
        for row in rows
        for one in row.get("comparisons") or []
    ]
    if against:
        title = "Each model against full text"
        tables.append(Table(["Model", "Direction", *COMPARED], against, title, title))
    return Section("What a model must beat", [lead], tables, name="floors")


FLOORS = {"bm25": "Full text (BM25)", "random": "Guessing"}
STAGES = {"embedder": "Embedder alone", "full_text": "Full text alone", "fused": "Full text fused"}


def pipelines(said: dict[str, Any]) -> Section | None:
    """Whether a second stage is worth it."""
    tables = []
    lead = []
    for one in said.get("pipelines") or []:
        parts = [model(one["model"]), *(["full text"] if one["fused"] else [])]
        name = ", ".join([*parts, *([model(one["reranker"])] if one["reranker"] else [])])
        cells = [
            [
                STAGES.get(row["stage"], f"The first {row['top']} reranked"), number(row["metrics"]["ndcg@10"]),
                interval(row["interval"]), number(row["milliseconds"]["total"], 1), *_compared(row["gain"]),
            ]
            for row in one["rows"]
        ]  # fmt: skip
        headers = ["Stage", ">NDCG@10", ">95 % interval", ">ms a query", *COMPARED]
        title = f"{name}: {direction(one['direction'])}, {count(one['queries'], 'query', 'queries')}"
        tables.append(Table(headers, cells, f"Pipeline {name}", title))
        lead.append(f"{name}: {one['words']}")
    return Section("Is a second stage worth it", lead, tables, name="pipelines") if tables else None


def about(said: dict[str, Any]) -> Section:
    """The data, the settings and the models."""
    settings, data = said["settings"], said["data"]
    rows = [[name, value] for name, value in _data_rows(data)] if data else []
    for key in ("dimensions", "precisions", "measures"):
        chosen = ", ".join(map(str, settings.get(key) or [])) or "those of each model"
        rows.append([key.capitalize(), chosen])
    rows.append(["Time taken", f"{said['seconds']:,.0f} s"])
    for name, one in said["directions"].items():
        left = [f"{one[key]:,} {words}" for key, words in LEFT if one.get(key)]
        told = f"{one['queries']:,} asked, {one['documents']:,} searched"
        rows.append([f"Direction {direction(name)}", "; ".join([told, *left])])
    models = [
        [model(one["reference"]), f"{one['dimension']:,}", one["fingerprint"], " ".join(one["notes"])]
        for one in said["models"]
    ]
    tables = [
        Table(["What", "How"], rows, "Data and settings"),
        Table(["Model", ">Dimensions", "Fingerprint", "Notes"], models, "Models", "Models"),
    ]
    changed = ["The collection has changed since these models were scored."] if data and not data["as_scored"] else []
    return Section("Data and settings", tables=tables, notes=changed, name="about")


LEFT = (
    ("left_out", "left out, as nothing searched is relevant to them"),
    ("unasked", "not asked: there are very many"),
)


def _data_rows(data: dict[str, Any]) -> list[tuple[str, str]]:
    labels, counts, kinds = data["labels"], data["counts"], data["modalities"]
    rows = [("Task", f"Given {labels['query']}, find {labels['document']}.")]
    for role, noun in (("query", "queries"), ("document", "documents")):
        if noun in counts:
            modalities = ", ".join(direction(one) for one in kinds.get(role, []))
            rows.append((noun.capitalize(), f"{counts[noun]:,} ({modalities})"))
    if "train" in counts:
        rows.append(("Judgements", f"{counts['train']:,} to train on, {counts['eval']:,} held out"))
    if sentence := data["split"].get("sentence"):
        rows.append(("Held out", sentence))
    if source := data["source"].get("file") or data["source"].get("kind"):
        rows.append(("Brought from", str(source)))
    if data["skipped"]:
        rows.append(("Left out at the import", count(data["skipped"], "row")))
    return rows
