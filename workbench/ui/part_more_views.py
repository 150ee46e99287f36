"""The HTML of the More part: adding, exports with their files, pushes, and the history of changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.collection.editing import Change
from workbench.collection.store import Card
from workbench.job_folder import JobFolder
from workbench.ui import cards, job_views, words
from workbench.ui.downloads import Downloads

FILES_SHOWN = 12
FORM_WORDS = {
    "mteb": ("Parquet", "In the layout of MTEB's retrieval tasks, media inside: for scripts and for the Hub."),
    "csv": ("CSV and media", "A ZIP of pairs.csv and the files it names: for spreadsheets, and to bring here again."),
}
CHANGED = "The collection has changed since."


def add(card: Card) -> str:
    """New rows may join."""
    said = (
        f"New rows join “{card.name}”. What is there already is recognised, and what is held out for the score stays "
        "held out."
    )
    button = cards.button("Add rows", "part", identifier="more-add", part="add")
    return cards.card(_line("Add to it", said, button))


def exports(jobs: Sequence[JobFolder], changed: float, downloads: Downloads) -> str:
    """The two forms it can be taken away in; what is being written, and what was."""
    made = ""
    for form, (title, said) in FORM_WORDS.items():
        of_form = [job for job in jobs if job.spec.get("form") == form]
        busy = any(not job.status().ended for job in of_form)
        button = "" if busy else cards.button("Write it", "export", identifier=f"more-export-{form}", form=form)
        written = "".join(_export(job, changed, downloads) for job in of_form)
        made += f"<li>{_line(title, said, button, level=3)}{written}</li>"
    return cards.card(f'<h2 class="title">Take it away</h2><ul class="lines">{made}</ul>')


def _export(job: JobFolder, changed: float, downloads: Downloads) -> str:
    """One export: its progress, what went wrong, or its files."""
    result = job.result()
    if job.status().state != "finished" or not result:
        return job_views.job_card(job, "Writing the export")
    # A workspace may have been copied, its old place still there: what is offered is what lies in this one.
    path = downloads.here(Path(str(result["path"])))
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    if not files:
        return ""
    stale = f" {CHANGED}" if changed > float(job.job.get("created") or 0) else ""
    links = "".join(
        f'<li><a href="{cards.text(downloads.url(file))}" download>'
        f"{cards.text(file.name if path.is_file() else file.relative_to(path).as_posix())}</a> "
        f'<span class="quiet small">{words.size(file.stat().st_size)}</span></li>'
        for file in files[:FILES_SHOWN]
    )
    more = len(files) - FILES_SHOWN
    rest = f'<li class="quiet small">… and {words.count(more, "more file")}</li>' if more > 0 else ""
    notes = "".join(f'<p class="quiet small">{cards.text(note)}</p>' for note in result.get("notes", []))
    when = words.clock(float(job.job.get("created") or 0))
    where = f"Written {when} to {path.parent.name}/{path.name} in the workspace.{stale}"
    return f'<ul class="files">{links}{rest}</ul>{notes}<p class="quiet small prewrap">{cards.text(where)}</p>'


def push(personal: Sequence[str], *, allowed: bool) -> str:
    """What a push does, and what to think of before."""
    said = "It becomes a data set there: yours alone, unless you say otherwise. It needs a token that may write."
    made = f'<div><h2 class="title">Push it to the Hugging Face Hub</h2><p class="quiet">{said}</p></div>'
    if not allowed:
        made += cards.notice("From a page that is open to others nothing is pushed.", tone="warn", closable=False)
    elif personal:
        made += cards.notice("Before others can see it:", personal, tone="warn", closable=False)
    return made


def pushes(jobs: Sequence[JobFolder], changed: float) -> str:
    """What is being pushed, what went wrong, and where it is when it is there."""
    made = ""
    for job in jobs:
        result = job.result()
        if job.status().state != "finished" or not result:
            made += job_views.job_card(job, f"Pushing to {job.spec.get('repo', '')}")
            continue
        stale = f" {CHANGED}" if changed > float(job.job.get("created") or 0) else ""
        seen = "only you can see it" if result.get("private") else "everybody can see it"
        link = f'<a href="{cards.text(result["url"])}" target="_blank" rel="noopener">{cards.text(result["repo"])}</a>'
        notes = "".join(f'<p class="quiet small">{cards.text(note)}</p>' for note in result.get("notes", []))
        made += f"<p>{cards.chip('Pushed', 'good', 'tick')} {link}: {seen}.{cards.text(stale)}</p>{notes}"
    return made


def history(changes: Sequence[Change]) -> str:
    """What has been changed, the newest first; only that one can be taken back."""
    title = '<h2 class="title">What has been changed</h2>'
    if not changes:
        return cards.card(f'{title}<p class="quiet">Nothing since it was imported.</p>')
    rows = ""
    for place, change in enumerate(changes):
        undo = cards.button("Undo", "undo", identifier="more-undo") if place == 0 else ""
        rows += (
            f'<li><span><span>{cards.text(change.what)}<span class="quiet small"> · {words.clock(change.when)}</span>'
            f"</span></span>{undo}</li>"
        )
    return cards.card(f'{title}<ul class="mended">{rows}</ul>')


def _line(title: str, said: str, button_html: str, level: int = 2) -> str:
    return (
        f'<div class="split line"><div><h{level} class="title">{cards.text(title)}</h{level}>'
        f'<p class="quiet">{cards.text(said)}</p></div>{button_html}</div>'
    )
