"""The pieces of HTML that the page is made of. Every text that comes from outside is escaped here, and only here.

Functions take plain values and return HTML. A parameter named ``…_html`` is HTML already, made by these functions.
"""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Iterable, Sequence

from workbench.job_folder import Status
from workbench.ui import words

ICONS = {
    "tick": '<path d="M3.5 8.5 6.5 11.5 12.5 4.5"/>',
    "up": '<path class="solid" d="M8 3 14 13H2Z"/>',
    "down": '<path class="solid" d="M8 13 2 3h12Z"/>',
    "flat": '<path d="M3 8h10"/>',
    "warn": '<path d="M8 2.5 14.5 13.5h-13Z"/><path d="M8 6.5v3.5M8 11.6v.6"/>',
    "bad": '<circle cx="8" cy="8" r="6"/><path d="M8 4.5v4.5M8 11v.6"/>',
    "info": '<circle cx="8" cy="8" r="6"/><path d="M8 7.2v4.2M8 4.6v.6"/>',
    "swap": '<path d="M3 5.5h10M10 2.5l3 3-3 3M13 10.5H3M6 7.5l-3 3 3 3"/>',
    "play": '<path class="solid" d="M5 3.2v9.6L13 8Z"/>',
    "pause": '<path class="solid" d="M4.5 3.5h2.6v9H4.5zM8.9 3.5h2.6v9H8.9z"/>',
    "moon": '<path d="M13 9.6A5.6 5.6 0 0 1 6.4 3 5.6 5.6 0 1 0 13 9.6Z"/>',
    "close": '<path d="M4 4l8 8M12 4l-8 8"/>',
    "thumb-up": '<path d="M5.5 7 8 2.2c1 0 1.7.8 1.5 1.8L9 6.5h3.2c.9 0 1.5.8 1.3 1.7l-1 4.1'
    'c-.2.7-.7 1.2-1.4 1.2H5.5z"/>'
    '<path d="M5.5 7h-3v6.5h3"/>',
    "thumb-down": '<path d="M10.5 9 8 13.8c-1 0-1.7-.8-1.5-1.8L7 9.5H3.8c-.9 0-1.5-.8-1.3-1.7l1-4.1'
    'c.2-.7.7-1.2 1.4-1.2h5.6z"/>'
    '<path d="M10.5 9h3V2.5h-3"/>',
    "open": '<path d="M9.5 2.5h4v4M13.5 2.5 8 8M11.5 9.5v4h-9v-9h4"/>',
    "first": '<path d="M3 2.5h10M8 13.5V6M4.5 9.2 8 5.7l3.5 3.5"/>',
}
VERDICTS = {"better": ("good", "up", "Better"), "worse": ("bad", "down", "Worse")}


def text(value: object) -> str:
    """Any value as escaped text."""
    return html.escape(str(value), quote=True)


def icon(name: str) -> str:
    """A line drawing of 16 px that takes the colour of the text; hidden from screen readers."""
    return f'<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">{ICONS[name]}</svg>'


def heading(title: str, lead_html: str = "") -> str:
    """The one h1 of a tab and the sentence below it."""
    return (
        f'<header class="heading"><h1>{text(title)}</h1>' + (f"<p>{lead_html}</p>" if lead_html else "") + "</header>"
    )


def button(
    label: str, act: str, *, primary: bool = False, open_tab: str = "", identifier: str = "", **data: str
) -> str:
    """A button in our HTML. It triggers `act` with its data, or opens a tab without asking the server."""
    attributes = f'data-open="{text(open_tab)}"' if open_tab else f'data-act="{text(act)}"'
    attributes += "".join(f' data-{text(key)}="{text(value)}"' for key, value in data.items())
    attributes += f' id="{text(identifier)}"' if identifier else ""
    return f'<button type="button" class="button{" primary" if primary else ""}" {attributes}>{text(label)}</button>'


def empty(sentence: str, buttons_html: str = "") -> str:
    """What a tab shows when there is nothing yet: what to do next, and the button for it."""
    return f'<div class="card empty"><p>{text(sentence)}</p><div class="actions">{buttons_html}</div></div>'


def remove(noun: str, consequence_html: str, name: str) -> str:
    """A quiet line at the foot that opens to say what goes with a thing, and then removes it."""
    return (
        f'<details class="remove"><summary>Remove this {text(noun)}</summary><div><p>{consequence_html}</p>'
        f"{button('Remove it for good', 'remove', name=name, identifier=f'{noun}-remove')}</div></details>"
    )


def foot(left: str, right_html: str = "") -> str:
    """The last line of a tab."""
    return f'<footer class="split foot"><span class="quiet small">{text(left)}</span>{right_html}</footer>'


def chooser(field: str, label: str, options: Iterable[tuple[str, str]], chosen: str) -> str:
    """A select that triggers `choose` with its field; empty where there is no choice. `options`: value, words."""
    listed = list(options)
    if len(listed) < 2:
        return ""
    return (
        f'<select name="{text(field)}" id="{text(field)}-choose" data-act="choose" aria-label="{text(label)}">'
        f"{options_of(listed, chosen)}</select>"
    )


def options_of(listed: Iterable[tuple[str, str]], chosen: str = "") -> str:
    """The options of a select, one of them chosen. `listed`: value, words."""
    return "".join(
        f'<option value="{text(value)}"{" selected" if value == chosen else ""}>{text(said)}</option>'
        for value, said in listed
    )


def chip(label: str, tone: str = "", icon_name: str = "") -> str:
    """A small rounded label. `tone` is good, warn, bad or empty; never colour alone: give it a word, and an icon."""
    return f'<span class="chip {tone}">{icon(icon_name) if icon_name else ""}{text(label)}</span>'


def verdict_chip(verdict: str) -> str:
    """better, no real change or worse, with its arrow."""
    tone, arrow, label = VERDICTS.get(verdict, ("", "flat", verdict.capitalize()))
    return chip(label, tone, arrow)


def state_chip(state: str) -> str:
    """The state of a job in one word with its sign."""
    tone, sign = {
        "finished": ("good", "tick"),
        "failed": ("bad", "bad"),
        "crashed": ("bad", "bad"),
        "stopped": ("warn", "warn"),
    }.get(state, ("", ""))
    spinner = '<span class="turning"></span>' if state in ("starting", "running", "stopping") else ""
    return f'<span class="chip {tone}">{spinner}{icon(sign) if sign else ""}{text(words.STATE_WORDS[state])}</span>'


def notice(message: str, problems: Sequence[str] = (), *, tone: str = "bad", closable: bool = True) -> str:
    """A message that stays until it is closed. All problems are listed, every one of them readable."""
    sign = {"bad": "bad", "warn": "warn", "good": "tick"}.get(tone, "info")
    listed = "".join(f"<li>{text(problem)}</li>" for problem in problems)
    close = f'<button type="button" class="close" data-dismiss=".notice" aria-label="Close">{icon("close")}</button>'
    role = "alert" if tone in ("bad", "warn") else "status"
    # The time makes the same message, closed and raised again, a new one.
    return (
        f'<div class="notice {tone}" role="{role}" data-at="{time.time_ns()}">{icon(sign)}<div><p>{text(message)}</p>'
        + (f'<ul tabindex="0" aria-label="Problems">{listed}</ul>' if listed else "")
        + f"</div>{close if closable else ''}</div>"
    )


def card(inner_html: str, *, label: str = "", classes: str = "") -> str:
    """A bordered box with an optional small label on top."""
    head = f'<h2 class="label">{text(label)}</h2>' if label else ""
    return f'<section class="card {classes}">{head}{inner_html}</section>'


def figure(label: str, value: str, beside: str = "") -> str:
    """A number that matters: large, with its unit or interval beside it."""
    return (
        f'<div class="figure"><span class="label">{text(label)}</span>'
        f'<span class="value">{text(value)}</span> <span class="beside">{text(beside)}</span></div>'
    )


def stats(pairs: Iterable[tuple[str, str]]) -> str:
    """Four or so small cards with one number each."""
    cells = "".join(
        f'<div class="card stat"><dt>{text(name)}</dt><dd>{text(value)}</dd></div>' for name, value in pairs
    )
    return f'<dl class="stats">{cells}</dl>'


def table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str, marked: set[int] | None = None
) -> str:
    """A table; cells of `rows` are HTML already. A header that begins with ">" marks a column of numbers."""
    right = [header.startswith(">") for header in headers]
    head = "".join(
        f'<th scope="col"{_right(aligned)}>{text(header.removeprefix(">"))}</th>'
        for header, aligned in zip(headers, right, strict=True)
    )
    body = []
    for place, row in enumerate(rows):
        cells = "".join(f"<td{_right(aligned)}>{cell}</td>" for cell, aligned in zip(row, right, strict=True))
        body.append(f'<tr class="marked">{cells}</tr>' if marked and place in marked else f"<tr>{cells}</tr>")
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _right(aligned: bool) -> str:
    return ' class="number"' if aligned else ""


def progress(title: str, status: Status, buttons_html: str = "") -> str:
    """How far a job is, with the time left; a reason when it ended badly."""
    share = min(1.0, status.step / status.total) if status.total else 0.0
    left = f"about {words.remaining(status.eta_seconds)} left" if status.eta_seconds is not None else ""
    counted = f"{status.step:,} of {status.total:,}" if status.total else ""
    note = status.note.removesuffix(".") if counted or left else status.note
    detail = " · ".join(part for part in (note, counted, left) if part) or "Getting ready"
    if status.reason and status.ended:
        detail = status.reason
    bar = (
        f'<div class="bar{"" if status.total else " unknown"}" role="progressbar" aria-label="{text(title)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{round(100 * share)}">'
        f'<i style="width:{100 * share:.1f}%"></i></div>'
    )
    bar = "" if status.ended or (status.state == "queued" and not status.total) else bar
    return (
        f'<section class="card progress"><div class="split"><div><strong>{text(title)}</strong> '
        f'{state_chip(status.state)}</div><div class="actions">{buttons_html}</div></div>'
        f'{bar}<p class="small prewrap">{text(detail)}</p></section>'
    )


def media(modality: str, thumb: str, full: str, name: str, key: str) -> str:
    """A picture, or a poster with a play button, in a box of fixed height. `thumb` and `full` are addresses of ours."""
    label = text(name)
    if modality == "image":
        return f'<div class="media"><img src="{text(thumb)}" alt="{label}" loading="lazy" decoding="async"></div>'
    play = (
        f'<button type="button" class="play" data-play="{text(key)}" aria-pressed="false" '
        f'aria-label="Play {label}">{icon("play")}{icon("pause")}</button>'
    )
    if modality == "audio":
        return (
            f'<div class="media sound"><img src="{text(thumb)}" alt="" loading="lazy">{play}'
            f'<audio id="{text(key)}" src="{text(full)}" preload="none"></audio></div>'
        )
    return (
        f'<div class="media clip"><video id="{text(key)}" src="{text(full)}" poster="{text(thumb)}" preload="none" '
        f'aria-label="{label}"></video>{play}</div>'
    )


def inline(data: bytes, content_type: str) -> str:
    """The address of something small that is sent with the page itself."""
    return f"data:{content_type};base64,{base64.b64encode(data).decode()}"


def words_box(value: str) -> str:
    """A text in the place where another card has its picture: all of it can be read by scrolling."""
    return f'<div class="media words" tabindex="0" role="group" aria-label="Text"><p>{text(value)}</p></div>'
