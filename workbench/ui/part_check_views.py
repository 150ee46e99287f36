"""The HTML of the Check part: findings by severity, each with examples to look at and what can be done."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.collection.editing import Change
from workbench.collection.store import Collection
from workbench.doctor.findings import SEVERITIES, SEVERITY_WORDS, Finding
from workbench.doctor.mended import Standing
from workbench.ui import cards, words
from workbench.ui.choices import model_name
from workbench.ui.data_views import has_media, item_box
from workbench.ui.media_route import MediaRoute

GROUPS_SHOWN, ITEMS_SHOWN = 4, 4
# What one finding in groups of a single item shows: they are small, so there may be more.
SINGLES_SHOWN = 6
# The tone and the sign of each severity.
SEVERITY_CHIPS = {"blocks": ("bad", "bad"), "hurts": ("warn", "warn"), "note": ("", "info")}
TITLES = {
    "exact-duplicate": "The same twice",
    "near-duplicate": "Nearly the same twice",
    "contradiction": "Judgements that contradict each other",
    "false-negative": "Right answers marked as wrong",
    "leaked-query": "Held-out queries seen in training",
    "leaked-document": "Held-out documents seen in training",
    "unreadable": "Files that cannot be read",
    "truncated-text": "Texts that the model would cut",
    "blank-image": "Blank pictures",
    "silence": "Silence",
    "imbalance": "A few answers for most queries",
    "direction": "The direction",
    "hub": "Documents near everything",
    "personal-data": "Personal data",
    "length": "Lengths and languages",
    "size": "Sizes and durations",
}
LOOKED_FOR = (
    "The check looks for what ruins a training without a word: the same item twice, answers held out for the score "
    "that were seen in training, right answers marked as wrong, files that cannot be read, blank pictures, silence, "
    "personal data. What it can mend has a button, and every mending can be taken back."
)
WITH_MODEL = (
    "With a model it also looks for texts that the model would cut, and documents that it finds for everything."
)


def top(standing: Standing | None, models: Sequence[tuple[str, str]], busy: bool) -> str:
    """What the check is, or when it was made and what it counted; and the button that makes it."""
    chosen = standing.check.model if standing else ""
    button = "" if busy else _check_form(models, chosen, "Check again" if standing else "Check this collection")
    if standing is None:
        about = f'<p class="quiet">{cards.text(LOOKED_FOR)}</p><p class="quiet small">{cards.text(WITH_MODEL)}</p>'
        return cards.card(f'<h2 class="title">Has it been looked over?</h2>{about}{button}')
    check = standing.check
    by = f" with {model_name(check.model)}" if check.model else ""
    when = f'<p class="quiet small">Checked {cards.text(words.clock(check.created) + by)}.</p>'
    made = f'<div class="split"><div class="found">{_counts(standing)}{when}</div>{button}</div>'
    if standing.changed:
        stale = "The collection has changed since this check, so it may say too much or too little. Check again."
        made = cards.notice(stale, tone="warn", closable=False) + made
    elif standing.mended and not standing.left:
        made += '<p class="quiet small">Check again to see that nothing is left.</p>'
    return cards.card(made)


def _check_form(models: Sequence[tuple[str, str]], chosen: str, label: str) -> str:
    options = cards.options_of([("", "no model"), *((value, said) for said, value in models)], chosen)
    button = cards.button(label, "check", primary=label != "Check again", identifier="check-start")
    return (
        f'<div class="fields"><label>Also with <select name="check-model" id="check-model">{options}</select></label>'
        f'<div class="actions">{button}</div></div>'
    )


def _counts(standing: Standing) -> str:
    """“Nothing found”, or how many of each severity, in large."""
    if not standing.check.findings:
        return f'<p class="lead">{cards.chip("Nothing found", "good", "tick")}</p>'
    left = standing.left
    chips = ""
    for severity in SEVERITIES:
        count = sum(finding.severity == severity for finding in left)
        if count:
            chips += cards.chip(f"{count:,} {SEVERITY_WORDS[severity]}", *SEVERITY_CHIPS[severity])
    mended = len(standing.check.findings) - len(left)
    chips += cards.chip(f"{mended:,} mended", "good", "tick") if mended else ""
    return f'<div class="chips">{chips}</div>'


def findings(standing: Standing, examples: Examples) -> str:
    """All findings, the gravest first; those that were mended shrink to a line at the end."""
    numbered = list(enumerate(standing.check.findings))
    open_ones = "".join(
        _finding(number, finding, standing, examples) for number, finding in numbered if number not in standing.mended
    )
    mended = "".join(
        _mended(finding, standing.mended[number], standing.newest)
        for number, finding in numbered
        if number in standing.mended
    )
    if mended:
        mended = cards.card(f'<h2 class="title">Mended</h2><ul class="mended">{mended}</ul>')
    return open_ones + mended


def _finding(number: int, finding: Finding, standing: Standing, examples: Examples) -> str:
    fix = ""
    if finding.fixable:
        fix = cards.button(
            finding.fix, "fix", identifier=f"fix-{number}", number=str(number), check=f"{standing.check.created:.3f}"
        )
    advice = f'<p class="quiet small">{cards.text(finding.advice)}</p>' if finding.advice else ""
    title = f'<h2 class="title">{cards.text(TITLES[finding.kind])}</h2>'
    chip = cards.chip(SEVERITY_WORDS[finding.severity].capitalize(), *SEVERITY_CHIPS[finding.severity])
    head = f'<div class="split"><div class="chips">{chip}{title}</div>{fix}</div>'
    return (
        f'<section class="card finding {finding.severity}" data-kind="{finding.kind}">{head}'
        f"<p>{cards.text(finding.sentence)}</p>{examples.of(finding)}{advice}</section>"
    )


def _mended(finding: Finding, change: Change | None, newest: Change | None) -> str:
    said = change.what if change else "Nothing was left to mend"
    undo = cards.button("Undo", "undo", identifier="check-undo") if change is not None and change == newest else ""
    return (
        f"<li><span>{cards.icon('tick')}<span>{cards.text(TITLES[finding.kind])}: "
        f'<span class="quiet">{cards.text(said)}.</span></span></span>{undo}</li>'
    )


class Examples:
    """Draws the offenders of findings, as they are in the collection today."""

    def __init__(self, collection: Collection, media_route: MediaRoute) -> None:
        self._collection, self._media, self._drawn = collection, media_route, 0
        self._rows = {"queries": collection.query_rows, "corpus": collection.document_rows}

    def of(self, finding: Finding) -> str:
        """A few groups of a finding, its items side by side; nothing where a finding is about the whole."""
        pairs = finding.side == "judgements"
        groups = [self._there(finding, group) for group in finding.groups]
        groups = [group for group in groups if group]
        most = SINGLES_SHOWN if all(len(group) == 1 for group in groups) else GROUPS_SHOWN
        if not groups:
            return ""
        made = "".join(self._group(group, pairs) for group in groups[:most])
        more = len(groups) - most
        rest = f'<p class="quiet small">… and {more:,} more.</p>' if more > 0 else ""
        singles = " singles" if most == SINGLES_SHOWN else ""
        return f'<ul class="examples{singles}" aria-label="Examples">{made}</ul>{rest}'

    def _there(self, finding: Finding, group: list[str]) -> list[tuple[str, int]]:
        """The (side, row) of the items of a group that are still there; nothing if too few are to show the fault."""
        sides = ("queries", "corpus") if finding.side == "judgements" else (finding.side,) * len(group)
        found = [
            (side, self._rows[side][identifier])
            for side, identifier in zip(sides, group, strict=False)
            if identifier in self._rows.get(side, {})
        ]
        return found if len(found) == min(len(group), 2) or len(found) > 1 else []

    def _group(self, group: list[tuple[str, int]], pairs: bool) -> str:
        shown = "".join(self._item(side, row, self._label(side) if pairs else "") for side, row in group[:ITEMS_SHOWN])
        more = len(group) - ITEMS_SHOWN
        rest = f'<p class="quiet small more">and {more:,} more</p>' if more > 0 else ""
        kind = "pair" if pairs else "same" if len(group) > 1 else "one"
        return f'<li class="group {kind}">{shown}{rest}</li>'

    def _label(self, side: str) -> str:
        labels = self._collection.card.labels
        return labels.get("query", "query") if side == "queries" else labels.get("document", "document")

    def _item(self, side: str, row: int, label: str) -> str:
        item = self._collection.item(side, row)
        self._drawn += 1
        box = item_box(item, self._collection, side, row, self._media, key=f"check-{self._drawn}")
        caption = ""
        if has_media(item) and (item.text or item.file):
            caption = f'<p class="caption" tabindex="0">{cards.text(item.text or item.file)}</p>'
        head = f'<p class="label">{cards.text(label)}</p>' if label else ""
        return f'<article class="card item">{head}{box}{caption}</article>'
