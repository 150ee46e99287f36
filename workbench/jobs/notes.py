"""What a user notes about a run: a text and tags, in runs/NAME/notes.json. Shown as text only, wherever it is shown."""

from __future__ import annotations

from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.workspace import read_json, write_json

NOTES_FILE = "notes.json"
MOST_CHARACTERS, MOST_TAGS, TAG_CHARACTERS = 10_000, 20, 40


def read_notes(job: JobFolder) -> dict[str, Any]:
    """{"text": str, "tags": [str]}; both empty where nothing was noted, or where the file is damaged."""
    try:
        value = read_json(job.path / NOTES_FILE)
    except ValueError:
        value = None
    value = value if isinstance(value, dict) else {}
    tags = value.get("tags")
    return {
        "text": str(value.get("text") or ""),
        "tags": [str(tag) for tag in tags] if isinstance(tags, list) else [],
    }


def write_notes(job: JobFolder, text: str | None = None, tags: list[str] | None = None) -> dict[str, Any]:
    """Replace the text, the tags, or both; None leaves what is there. Returns the notes as they are now.

    Raises WorkbenchError for a text or tag that is too long, and for too many tags.
    """
    notes = read_notes(job)
    if text is not None:
        if len(text) > MOST_CHARACTERS:
            raise WorkbenchError(
                f"The note has {len(text):,} characters; the limit is {MOST_CHARACTERS:,}. Shorten it."
            )
        notes["text"] = text.strip()
    if tags is not None:
        cleaned = list(dict.fromkeys(" ".join(tag.split()) for tag in tags if tag.strip()))
        if long := [tag for tag in cleaned if len(tag) > TAG_CHARACTERS]:
            raise WorkbenchError(f"The tag “{long[0][:TAG_CHARACTERS]}…” is longer than {TAG_CHARACTERS} characters.")
        if len(cleaned) > MOST_TAGS:
            raise WorkbenchError(f"A run has at most {MOST_TAGS} tags, and these are {len(cleaned)}.")
        notes["tags"] = cleaned
    write_json(job.path / NOTES_FILE, notes)
    return notes
