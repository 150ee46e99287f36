"""The HTML of feedback on search results: three quiet buttons on each card."""

from __future__ import annotations

import json

from workbench.collection.feedback import ENOUGH
from workbench.collection.store import Collection
from workbench.index.results import Hit
from workbench.ui import cards, words

# verdict: icon, what a button says, what the toast says
VERDICTS = {
    "up": ("thumb-up", "This fits", "this fits"),
    "down": ("thumb-down", "This does not fit", "this does not fit"),
    "first": ("first", "This should have been first", "this should have been first"),
}


def buttons(hit: Hit, asked: str, verdict: str, *, with_open: bool = False) -> str:
    """Fits, does not fit, should have been first. `asked` names the search, `verdict` the button that is pressed.

    with_open: and before them the button that opens the result.
    """
    opens = (
        f'<button type="button" class="thumb" data-act="open" data-asked="{cards.text(asked)}" '
        f'data-document="{cards.text(hit.id)}" aria-expanded="false" aria-label="Open result {hit.rank}" '
        f'title="Open">{cards.icon("open")}</button>'
    )
    made = "".join(
        f'<button type="button" class="thumb" data-act="mark" data-verdict="{name}" data-asked="{cards.text(asked)}" '
        f'data-document="{cards.text(hit.id)}" aria-pressed="{str(name == verdict).lower()}" aria-label="{says}" '
        f'title="{says}">{cards.icon(icon)}</button>'
        for name, (icon, says, _) in VERDICTS.items()
    )
    made = opens * with_open + made
    return f'<div class="thumbs" role="group" aria-label="Result {hit.rank}: what do you think?">{made}</div>'


def noted(verdict: str, collection: str) -> str:
    """What a toast says of a press."""
    if not verdict:
        return f"Taken back from “{collection}”."
    return f"Noted in “{collection}”: {VERDICTS[verdict][2]}."


def purpose() -> str:
    """What the buttons are for, beside the choice of the collection."""
    return '<p class="quiet small">Your thumbs are kept as pairs to train on, in</p>'


def again(count: int, trained: bool) -> str:
    """How many thumbs there are since the last training, and the way to train again once they are enough."""
    if not count:
        return ""
    since = " since the last training" if trained else ""
    said = f"{words.count(count, 'thumb')}{since}."
    if count < ENOUGH:
        return f'<p class="quiet small">{said} From {ENOUGH} on, training with them is worth a try.</p>'
    chip = cards.chip("Enough to train with", "good", "tick")
    button = cards.button("Train with them", "", open_tab="train", identifier="search-train")
    return f'<div class="again">{chip}<p class="quiet small">{said}</p>{button}</div>'


def verdicts(collection: Collection, query_id: str) -> dict[str, str]:
    """What a collection holds of feedback on a question: document id to verdict."""
    import pyarrow.compute as pc

    table = collection.judgements.data.table
    if query_id not in collection.query_rows or "meta" not in table.column_names:
        return {}
    table = table.filter(pc.and_(pc.equal(table["source"], "feedback"), pc.equal(table["query"], query_id)))
    rows = zip(table["document"].to_pylist(), table["meta"].to_pylist(), strict=True)
    return {document: str(json.loads(meta or "{}").get("verdict", "")) for document, meta in rows}
