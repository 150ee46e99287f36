"""The HTML of “Will it fit?”: what a run needs in memory and time, estimated or measured, and the button to measure."""

from __future__ import annotations

from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.ui import cards, job_views, words

TITLE = "Will it fit?"
ABOUT = "Measure takes a few real steps on the longest examples, on this device. It takes a minute or two."


def fit_box(found: dict[str, Any], job: JobFolder | None) -> str:
    """The box on the Train tab. found: the object of `fit`; job: the measurement at work, or one that went wrong."""
    if job is not None:
        again = cards.button("Measure again", "measure", identifier="fit-measure") if job.status().ended else ""
        shown = job_views.job_card(job, "Measuring") + (f'<div class="actions after">{again}</div>' if again else "")
        return f'<div class="fit"><h2 class="label">{TITLE}</h2>{shown}</div>'
    shown = _measured(found) if found["measured"] else _estimated(found)
    return f'<div class="fit"><h2 class="label">{TITLE}</h2>{shown}</div>'


def cannot(error: WorkbenchError) -> str:
    """The box where the settings do not make a run."""
    return f'<div class="fit"><h2 class="label">{TITLE}</h2><p class="quiet small">{cards.text(error)}</p></div>'


def _estimated(found: dict[str, Any]) -> str:
    button = cards.button("Measure", "measure", identifier="fit-measure")
    return f'<p>{cards.text(found["words"])}</p><p class="quiet small">{ABOUT}</p><div class="actions">{button}</div>'


def _measured(found: dict[str, Any]) -> str:
    free = found["device_bytes"]
    tone = "good" if found["peak_bytes"] <= free else "bad"
    chip = cards.chip("It fits" if tone == "good" else "It does not fit", tone, "tick" if tone == "good" else "bad")
    memory = f"{words.size(found['peak_bytes'])} of {words.size(free)} on {found['device']}"
    time = f"about {words.remaining(found['run_seconds'])} for {found['steps']:,} steps and the scoring"
    again = cards.button("Measure again", "measure", identifier="fit-measure")
    return (
        f'<div class="chips">{chip}</div>'
        f"<p>{cards.text(memory)}, with a mini-batch of {found['mini_batch_size']:,}.</p>"
        f"<p>{cards.text(time[:1].upper() + time[1:])}.</p>"
        f'<div class="actions">{again}</div>'
    )
