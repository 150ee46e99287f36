"""A report as one HTML file that needs nothing else: no network, no script; it opens from a folder, and prints.

`assets/report.html` is the page, filled by Jinja, which escapes every text; `assets/report.css` and the tokens of the
workbench give the look, light or dark as the reader's system prefers. A content security policy forbids scripts and
every request besides, whatever a text may hold.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from workbench import __version__
from workbench.evaluation.report_content import Content, full_size, pair_to_compare
from workbench.evaluation.report_parts import Section
from workbench.evaluation.report_sections import sections
from workbench.evaluation.report_words import count, interval, model, moment, number, signed

ASSETS = Path(__file__).resolve().parents[2] / "assets"
PICTURE_PIXELS = 160
QUALITY = 70
RANKED = 100


@dataclass(frozen=True)
class Group:
    """Examples under one title. examples: {"query": item, "told": str, "columns": [{"model", "found": [items]}]}."""

    title: str
    examples: list[dict[str, Any]] = field(default_factory=list)


def report_html(content: Content) -> str:
    """The whole page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    said = content.said
    first = next(row for row in said["results"] if row["direction"] == "all")
    asked = count(first["queries"], "held-out query", "held-out queries")
    environment = Environment(
        loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    shown = sections(said)
    for section in shown:
        for chart in section.charts:
            chart["svg"] = Markup(chart["svg"])  # made by `report_plot`, which escapes for itself
    return environment.get_template("report.html").render(
        title=f"Evaluation {said['evaluation']}",
        lead=(
            f"{asked} of “{said['collection']}” against {count(first['documents'], 'document')}, "
            f"{moment(said['created'])}."
        ),
        figure=_figure(said),
        sections=[*shown[:-1], *_examples(content), shown[-1]],
        css=Markup(style()),
        foot=f"Made by the workbench {__version__}. Collection fingerprint {said['collection_fingerprint']}.",
    )


def style() -> str:
    """The tokens and the style of a report. The dark tokens hold where the system prefers them, on a screen."""
    tokens = (ASSETS / "tokens.css").read_text(encoding="utf-8")
    dark = "@media screen and (prefers-color-scheme: dark) { :root {\\1} }"
    tokens = re.sub(r"\.dark \{([^}]*)\}", dark, tokens)
    return tokens + (ASSETS / "report.css").read_text(encoding="utf-8")


def _figure(said: dict[str, Any]) -> dict[str, str]:
    """The best model's NDCG@10 at full size, and how that compares with the first model's."""
    pair = pair_to_compare(said)
    chosen = pair[1] if pair else said["models"][0]["reference"]
    row = full_size(said, chosen)
    beside = f"{model(chosen)} {interval(row['interval'])}"
    for one in said["comparisons"]:
        if pair == (one["a"], one["b"]) and one["direction"] == "all":
            beside = (
                f"{model(chosen)}, {signed(one['difference'])} {interval(one['interval'])} against {model(pair[0])}"
            )
    return {"value": number(row["ndcg@10"]), "beside": beside}


def _examples(content: Content) -> list[Section]:
    """The queries that gained and lost most, with what both models found first."""
    examples = content.said["examples"]
    if examples is None:
        return []
    before, after = map(model, examples["models"])
    groups = [
        Group(title, [_example(content, one, (before, after)) for one in examples[key]])
        for key, title in (("gained", "Gained most"), ("lost", "Lost most"))
    ]
    lead = f"The queries that changed most from {before} to {after}, each with what both found first."
    notes = [] if content.said["data"] else ["The collection has been removed since, so only ids are left to show."]
    return [Section("Gained and lost", [lead], notes=notes, examples=groups, name="examples")]


def _example(content: Content, one: dict[str, Any], names: tuple[str, str]) -> dict[str, Any]:
    ranks = (f"{rank}" if rank else f"{RANKED}+" for rank in one["first_rank"])
    told = f"First relevant at rank {' → '.join(ranks)}. NDCG@10 {' → '.join(map(number, one['ndcg']))}."
    columns = [
        {"model": name, "found": [_item(content, "corpus", item) for item in found]}
        for name, found in zip(names, one["found"], strict=True)
    ]
    return {"query": _item(content, "queries", one["query"]), "told": told, "columns": columns}


def _item(content: Content, side: str, item: dict[str, Any]) -> dict[str, Any]:
    stored = content.pictures.get((side, item["id"]))
    file = PurePath(item["file"]).name
    return {
        "characters": None,
        "relevant": False,
        **item,
        "file": file,
        "picture": _data_uri(stored) if stored else None,
    }


def _data_uri(stored: bytes) -> str:
    """A thumbnail as a small JPEG that is sent with the page; what is transparent becomes white."""
    from PIL import Image

    with Image.open(io.BytesIO(stored)) as opened:
        picture = opened.convert("RGBA")
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    ground.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
    file = io.BytesIO()
    ground.save(file, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
