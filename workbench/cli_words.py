"""The answers of the commands for a person: short tables and sentences. ``--json`` prints the objects instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.cli_terminal import duration
from workbench.doctor.findings import SEVERITY_WORDS
from workbench.evaluation.groups import group_sentences

SKIPPED_SHOWN = 10
METRIC_COLUMNS = ("ndcg@10", "mrr@10", "recall@1", "recall@10", "recall@100")


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns aligned by spaces: numbers to the right, words to the left."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(header), *cells]) for column in range(len(header))]
    right = [all(isinstance(row[column], (int, float)) for row in rows) for column in range(len(header))]

    def line(values: Sequence[str]) -> str:
        parts = zip(values, widths, right, strict=True)
        return "  ".join(v.rjust(width) if to_right else v.ljust(width) for v, width, to_right in parts).rstrip()

    return "\n".join([line(header), *(line(row) for row in cells)])


def import_words(result: dict[str, Any]) -> str:
    """What an import brought, and the rows that it left out."""
    judged, modalities = result["judgements"], result["modalities"]
    asked, found = (", ".join(modalities[side]) or "none" for side in ("query", "document"))
    lines = [
        f"Imported “{result['collection']}”: {result['queries']:,} queries ({asked}), "
        f"{result['documents']:,} documents ({found}).",
        f"Judgements: {judged['train']:,} to train, {judged['eval']:,} held out.",
        *result.get("notes", []),
    ]
    skipped = result["skipped"]
    if skipped:
        lines.append(f"{len(skipped):,} rows were left out:")
        lines += [f"  {line['reason']}" for line in skipped[:SKIPPED_SHOWN]]
    if len(skipped) > SKIPPED_SHOWN:
        lines.append(f"  … and {len(skipped) - SKIPPED_SHOWN:,} more; --json lists them all.")
    return "\n".join(lines)


def run_words(summary: dict[str, Any]) -> str:
    """One run: its state, how far it is, its scores, and what to do next."""
    lines = [f"{summary['run']}: {summary['state']}, step {summary['step']:,} of {summary['steps']:,}"]
    if summary.get("seconds"):
        lines[0] += f", {duration(summary['seconds'])}"
    if summary.get("reason"):
        lines.append(summary["reason"])
    if advice := summary.get("advice"):
        lines.append(advice["words"])
        changes = " ".join(f"--set {name}={value}" for name, value in advice["changes"].items())
        if changes:
            lines.append(f"To do so: python -m workbench runs clone {summary['run']} {changes}")
    baseline, metrics = summary.get("baseline") or {}, summary.get("metrics") or {}
    if names := [name for name in METRIC_COLUMNS if name in metrics or name in baseline]:
        lines.append(
            table(["", *names], [["untouched", *map(baseline.get, names)], ["tuned", *map(metrics.get, names)]])
        )
    lines += verdict_lines(summary)
    if summary["state"] == "finished" and summary.get("model"):
        lines.append(f"Model: {summary['model']}   (use it as run:{summary['run']})")
    return "\n".join(lines)


def verdict_lines(summary: dict[str, Any]) -> list[str]:
    """The verdict on a finished run, a line for each direction, and what it forgot on a second collection."""
    lines = []
    if compared := summary.get("comparison"):
        lines.append(f"Against the {summary.get('against', 'untouched model')}: {_verdict(compared)}")
    directions = [row for row in summary.get("directions") or [] if row["direction"] != "all"]
    lines += [f"  {row['direction']}: {_verdict(row)}" for row in directions]
    if second := summary.get("second"):
        lines.append(f"On {second['collection']}, which it was not trained on: {_verdict(second['comparison'])}")
    return lines


def _verdict(compared: dict[str, Any]) -> str:
    low, high = compared["interval"]
    return f"{compared['verdict']} ({compared['difference']:+.3f} [{low:+.3f}, {high:+.3f}], p = {compared['p']:.2g})"


def evaluation_words(result: dict[str, Any]) -> str:
    """The scores of an evaluation as a table, and its comparisons as sentences."""
    measures = list(dict.fromkeys(name for row in result["results"] for name in row["metrics"]))
    rows = [
        [row["model"], row["dimension"], row["precision"], row["direction"], row["queries"]]
        + [row["metrics"].get(name) for name in measures]
        for row in result["results"]
    ]
    lines = [f"Evaluation “{result['evaluation']}” of the collection “{result['collection']}”"]
    lines.append(table(["model", "dims", "precision", "direction", "queries", *measures], rows))
    for compared in result.get("comparisons") or []:
        low, high = compared["interval"]
        lines.append(
            f"{compared['b']} against {compared['a']}, {compared['direction']}: {compared['verdict']} "
            f"({compared['metric']} {compared['difference']:+.3f} [{low:.3f}, {high:.3f}])"
        )
    lines += group_sentences(result.get("slices") or [])
    lines += dict.fromkeys(note for model in result.get("models") or [] for note in model.get("notes") or [])
    return "\n".join(lines)


def index_words(result: dict[str, Any]) -> str:
    """What was indexed, how, and how to search it."""
    name = result["index"]
    return (
        f"Indexed “{name}”: {result['rows']:,} documents, {result['dimension']} dimensions, {result['kind']}, "
        f"{result['bytes'] / 1e6:.1f} MB, in {duration(result['seconds'])}.\n"
        f'To search it: python -m workbench search {name} --text "…"'
    )


def search_words(result: dict[str, Any]) -> str:
    """The hits of a search, the best first, the lists that hold each, the time of each stage, and what was left out."""
    matching = f"{result['matching']:,} documents meet the conditions." if "matching" in result else ""
    if not result["hits"]:
        return " ".join(
            filter(None, [f"Nothing was found in “{result['index']}”.", matching, *result.get("notes", [])])
        )
    rows = []
    for hit in result["hits"]:
        first = hit.get("first_rank", hit["rank"])
        lists = {"vectors": hit.get("vector_rank"), "words": hit.get("text_rank")} if "text_rank" in hit else {}
        found = ", ".join(f"{name} {place}" for name, place in lists.items() if place)
        moved = " ".join(filter(None, [f"from {first}" if first != hit["rank"] else "", found]))
        shown = " ".join(str(hit["text"] or hit["file"] or hit["id"]).split())
        rows.append([hit["rank"], hit["score"], moved, hit["modality"], shown[:80]])
    took = ", ".join(f"{stage} {value:.0f} ms" for stage, value in result["milliseconds"].items() if value)
    below = [line for line in (took, matching, *result.get("notes", [])) if line]
    return "\n".join([table(["rank", "score", "", "modality", "document"], rows), *below])


def batch_words(done: dict[str, Any]) -> str:
    """What a batch of queries came to."""
    left_out = f" {done['left_out']:,} lines were left out." if done["left_out"] else ""
    to = f" What was found is in {done['to']}." if "to" in done else ""
    took = done["seconds"]
    return f"{done['queries']:,} queries were asked of “{done['index']}” in {took:,.1f} s.{left_out}{to}"


def why_words(found: dict[str, Any]) -> str:
    """What carries the score of a document, the strongest first."""
    rows = [
        [said, part["label"], part["drop"]]
        for said, parts in (("document", found["parts"]), ("query", found["query_parts"]))
        for part in sorted(parts, key=lambda part: -part["drop"])[:8]
        if part["strength"] > 0
    ]
    below = [*found["notes"], f"{found['about']} {found['scored']} scores were taken."]
    carried = table(["of the", "part", "score without it falls by"], rows) if rows else ""
    return "\n".join(filter(None, [f"“{found['id']}” has the score {found['score']:.4f}.", carried, *below]))


def check_words(name: str, findings: Sequence[dict[str, Any]]) -> str:
    """The findings of a check, the gravest first, with examples and what to do about each.

    findings: as `check --json` prints them, with `shown`, the examples in words.
    """
    if not findings:
        return f"Nothing is wrong with “{name}”."
    lines = [f"{len(findings):,} {'finding' if len(findings) == 1 else 'findings'} in “{name}”:"]
    for number, found in enumerate(findings, start=1):
        lines.append(f"\n{number}. {found['kind']} ({SEVERITY_WORDS[found['severity']]}): {found['sentence']}")
        lines += [f"     {example}" for example in found["shown"]]
        if found["count"] > len(found["shown"]):
            lines.append(f"     … and {found['count'] - len(found['shown']):,} more; --json gives their ids.")
        if found["fixable"]:
            lines.append(f"   {found['fix']}: python -m workbench fix {name} {found['kind']}")
        elif found["advice"]:
            lines.append(f"   {found['advice']}")
    if any(found["fixable"] for found in findings):
        lines.append(f"\nEvery fix can be taken back: python -m workbench undo {name}")
    return "\n".join(lines)


def mining_words(result: dict[str, Any]) -> str:
    """How many hard negatives a mining added or dropped."""
    name = result["collection"]
    if "dropped" in result:
        return f"Dropped {result['dropped']:,} mined negatives of “{name}”."
    return f"Added {result['mined']:,} hard negatives to “{name}”, found by {result['model']}."


def preview_words(result: dict[str, Any]) -> str:
    """How much a generation of queries would send and bring, and what it would send first."""
    lines = [
        f"{result['documents']:,} documents would be sent, for {result['queries']:,} queries: about "
        f"{result['prompt_tokens']:,} tokens there and {result['answer_tokens']:,} back. Nothing was sent."
    ]
    lines += [f"{left['count']:,} left out: {left['reason']}." for left in result["skipped"]]
    lines += [f"\n{sample['document']}:\n{sample['prompt']}" for sample in result["samples"][:1]]
    return "\n".join(lines)


def generation_words(result: dict[str, Any]) -> str:
    """How many generated queries were kept, and why others were not."""
    lines = [
        f"Kept {result['kept']:,} of {result['generated']:,} queries that {result['model']} wrote "
        f"for {result['requested']:,} documents of “{result['collection']}”."
    ]
    dropped = [f"{number:,} {why}" for why, number in result["dropped"].items() if number]
    if dropped:
        lines.append(f"Dropped: {', '.join(dropped)}.")
    if result["failed"] or result["unasked"]:
        lines.append(f"{result['failed']:,} documents got no answer, {result['unasked']:,} were not reached.")
        lines += [f"  {problem}" for problem in result["problems"]]
    return "\n".join(lines)


def demo_words(result: dict[str, Any]) -> str:
    """What the demo trained and how good it became."""
    rows = [[r["model"], r["dimension"], r["direction"], r["metrics"].get("ndcg@10")] for r in result["results"]]
    lines = [table(["model", "dims", "direction", "ndcg@10"], rows)]
    if reranker := result.get("reranker"):
        low, high = reranker["interval"]
        lines.append(
            f"Reranking raises NDCG@10 from {reranker['first_stage']:.3f} to {reranker['reranked']:.3f} "
            f"[{low:+.3f}, {high:+.3f}]."
        )
    lines.append(f"Done in {duration(result['seconds'])}.")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
