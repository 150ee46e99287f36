"""The HTML of the Write queries part: what it is, how much it would be, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from workbench.collection.editing import Change
from workbench.collection.store import Collection
from workbench.enrich.choosing import GenerationSettings
from workbench.enrich.endpoint import HOST_VARIABLE, KEY_VARIABLE, OPENAI_HOST, OPENAI_KEY_VARIABLE
from workbench.ui import cards, words

WHAT = (
    "For documents that came without queries: a language model of your choice reads each of them and writes queries "
    "that should find it."
)
SENT = (
    "Nothing leaves this computer before you have seen how much it is and pressed Write. Then the documents, one at a "
    "time (texts cut, pictures made small), and the prompt go to the address below and nowhere else. What comes back "
    "is for training; it scores no model until somebody has looked at it."
)
NOT_OPEN = (
    "This page is open to others, and this computer would send requests to whatever address they write. Start the page "
    "on your own computer or with --auth USER:PASSWORD, or use the command “generate”."
)
DROPPED_WORDS = {
    "duplicate": "there already",
    "round-trip": "did not find their own document",
    "unusable": "empty, too long, or the document itself",
}


def unqueried(collection: Collection) -> int:
    """How many documents no query asks for."""
    judged = collection.judged()
    return len(collection.corpus) - len(set(judged.documents[judged.scores > 0].tolist()))


def top(collection: Collection, allowed: bool, environment: Mapping[str, str]) -> str:
    """What it is, how many documents it is for, and whether there is a key; or why it is not to be had here."""
    made = f'<h2 class="title">Write queries</h2><p class="quiet">{cards.text(WHAT)}</p>'
    if not allowed:
        return cards.card(made + cards.notice(NOT_OPEN, tone="warn", closable=False))
    without, every = unqueried(collection), len(collection.corpus)
    noun = collection.card.labels.get("document", "document")
    said = f"{without:,} of {words.count(every, noun)} {'has' if without == 1 else 'have'} no query."
    said = said if without else f"Every {noun} has a query."
    small = f"{SENT} {key_words(environment)}"
    return cards.card(
        f'{made}<p id="generate-count">{cards.text(said)}</p><p class="quiet small">{cards.text(small)}</p>'
    )


def key_words(environment: Mapping[str, str]) -> str:
    """Where the key comes from, whether there is one, and to whom it goes. Never the key."""
    host = environment.get(HOST_VARIABLE, "").strip()
    where = f"A key is read from the environment only ({KEY_VARIABLE}), never from this page"
    if environment.get(KEY_VARIABLE, "").strip():
        return f"{where}: one is set, and goes to {f'“{host}” alone' if host else 'the address below'}."
    if environment.get(OPENAI_KEY_VARIABLE, "").strip():
        return f"{where}: none is set; {OPENAI_KEY_VARIABLE} is, and goes to {OPENAI_HOST} alone."
    return f"{where}: none is set. A server of your own needs none."


def preview(found: dict[str, Any], settings: GenerationSettings, with_key: bool, seen: str) -> str:
    """How much it would be, and the first prompts. `seen` comes back with the button that begins."""
    figures = [
        ("Documents", f"{found['documents']:,}"),
        ("Queries asked for", f"{found['queries']:,}"),
        ("Tokens sent, about", rounded(found["prompt_tokens"])),
        ("Tokens back, about", rounded(found["answer_tokens"])),
    ]
    if found["cost"] is not None:
        figures.append(("Cost, about", cost_words(found["cost"])))
    left_out = "".join(
        f'<p class="quiet">{words.count(one["count"], "document")} left out: {cards.text(one["reason"])}.</p>'
        for one in found["skipped"]
    )
    samples = "".join(_sample(place, one["prompt"]) for place, one in enumerate(found["samples"]))
    return cards.stats(figures) + cards.card(f"{_begin(settings, with_key, seen)}{left_out}{samples}")


def _begin(settings: GenerationSettings, with_key: bool, seen: str) -> str:
    """Where it would go, and the button; or what is missing."""
    head = '<h2 class="title">Nothing has been sent yet</h2>'
    if not (settings.endpoint and settings.endpoint_model):
        missing = "Write the address of an endpoint and the name of its model, and press Preview again."
        return f'<div>{head}<p class="quiet">{missing}</p></div>'
    key = "with a key" if with_key else "without a key"
    sent = f"It would go to {settings.endpoint}, for “{settings.endpoint_model}”, {key}."
    button = cards.button("Write queries", "write", primary=True, identifier="generate-write", seen=seen)
    said = f'<div>{head}<p class="quiet prewrap">{cards.text(sent)}</p></div>'
    return f'<div class="split">{said}<div class="actions">{button}</div></div>'


def _sample(place: int, prompt: str) -> str:
    which = ("the first document", "the second", "the third")[place]
    shown = " open" if place == 0 else ""
    return (
        f'<details class="sample"{shown}><summary>What is sent for {which}</summary><pre class="log" tabindex="0" '
        f'role="group" aria-label="Prompt {place + 1}">{cards.text(prompt)}</pre></details>'
    )


def result(found: dict[str, Any], job_name: str, waiting: int, change: Change | None) -> str:
    """What came of it, in words. waiting: generated queries to be looked at. change: what Undo would take back."""
    heading = '<h2 class="title">What came of it</h2>'
    said = (
        f"Kept {found['kept']:,} of {words.count(found['generated'], 'query')} that “{found['model']}” wrote for "
        f"{words.count(found['requested'], 'document')}."
    )
    facts = [
        f"{number:,} dropped: {DROPPED_WORDS.get(why, why)}." for why, number in found["dropped"].items() if number
    ]
    facts += [f"{words.count(one['count'], 'document')} left out: {one['reason']}." for one in found["skipped"]]
    if found["failed"]:
        facts.append(f"{words.count(found['failed'], 'document')} got no answer.")
    if found["unasked"]:
        facts.append(
            f"{words.count(found['unasked'], 'document')} not reached, because too many in a row got no answer. "
            "Preview and write again to ask about them."
        )
    listed = "".join(f"<li>{cards.text(fact)}</li>" for fact in facts)
    made = f"<div><p>{cards.text(said)}</p>{f'<ul>{listed}</ul>' if listed else ''}{_problems(found['problems'])}</div>"
    if waiting:
        look = f"{words.count(waiting, 'generated query')} {'waits' if waiting == 1 else 'wait'} to be looked at."
    else:
        look = "No generated query waits to be looked at." if found["kept"] else ""
    made += f'<p class="quiet">{look}</p>' if look else ""
    return cards.card(f'{heading}{made}<div class="actions">{_buttons(job_name, waiting, change)}</div>')


def _buttons(job_name: str, waiting: int, change: Change | None) -> str:
    made = ""
    if waiting:
        made += cards.button("Look at them", "part", primary=True, identifier="generate-review", part="review")
    if change is not None:
        made += cards.button("Undo", "undo", identifier="generate-undo", number=str(change.number))
    return made + cards.button("Put away", "dismiss", identifier="generate-dismiss", name=job_name)


def _problems(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    listed = "".join(f"<li>{cards.text(problem)}</li>" for problem in problems)
    return f"<details><summary>What went wrong</summary><ul>{listed}</ul></details>"


def job_title(spec: Mapping[str, Any]) -> str:
    """What stands over the progress: the model, and where it is."""
    host = urlsplit(str(spec.get("endpoint", ""))).hostname or ""
    return f"{spec.get('endpoint_model', 'A model')} at {host} writes queries"


def rounded(number: int) -> str:
    """A guess with two figures that count: 12,345 is 12,000."""
    digits = max(0, len(str(number)) - 2)
    return f"{round(number, -digits):,}"


def cost_words(cost: float) -> str:
    """A sum in the currency of the prices; small sums with more digits."""
    return f"{cost:,.2f}" if cost >= 1 or cost == 0 else f"{cost:.4f}" if cost >= 0.0001 else "less than 0.0001"
