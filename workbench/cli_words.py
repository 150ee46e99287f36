"""The answers of the commands for a person: short tables and sentences. ``--json`` prints the objects instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.cli_terminal import duration

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
    baseline, metrics = summary.get("baseline") or {}, summary.get("metrics") or {}
    if names := [name for name in METRIC_COLUMNS if name in metrics or name in baseline]:
        lines.append(
            table(["", *names], [["untouched", *map(baseline.get, names)], ["tuned", *map(metrics.get, names)]])
        )
    if summary["state"] == "finished" and summary.get("model"):
        lines.append(f"Model: {summary['model']}   (use it as run:{summary['run']})")
    return "\n".join(lines)


def evaluation_words(result: dict[str, Any]) -> str:
    """The scores of an evaluation as a table, and its comparisons as sentences."""
    rows = [
        [row["model"], row["dimension"], row["precision"], row["direction"], row["queries"]]
        + [row["metrics"].get(name) for name in METRIC_COLUMNS]
        for row in result["results"]
    ]
    lines = [f"Evaluation “{result['evaluation']}” of the collection “{result['collection']}”"]
    lines.append(table(["model", "dims", "precision", "direction", "queries", *METRIC_COLUMNS], rows))
    for compared in result.get("comparisons") or []:
        low, high = compared["interval"]
        lines.append(
            f"{compared['b']} against {compared['a']}, {compared['direction']}: {compared['verdict']} "
            f"({compared['metric']} {compared['difference']:+.3f} [{low:.3f}, {high:.3f}])"
        )
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
    """The hits of a search, the best first, and the time of each stage."""
    matching = f"{result['matching']:,} documents meet the conditions." if "matching" in result else ""
    if not result["hits"]:
        return f"Nothing was found in “{result['index']}”. {matching}".rstrip()
    rows = []
    for hit in result["hits"]:
        first = hit.get("first_rank", hit["rank"])
        moved = f"from {first}" if first != hit["rank"] else ""
        shown = " ".join(str(hit["text"] or hit["file"] or hit["id"]).split())
        rows.append([hit["rank"], hit["score"], moved, hit["modality"], shown[:80]])
    took = ", ".join(f"{stage} {value:.0f} ms" for stage, value in result["milliseconds"].items() if value)
    below = [line for line in (took, matching) if line]
    return "\n".join([table(["rank", "score", "", "modality", "document"], rows), *below])


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
