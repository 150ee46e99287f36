"""Numbers, sizes, times and modalities in the page's words. Pure functions from values to text, not escaped."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

MODALITY_WORDS = {"text": "text", "image": "picture", "audio": "sound", "video": "video", "number": "number"}
MODALITY_PLURALS = {"text": "texts", "image": "pictures", "audio": "sounds", "video": "videos"}
KIND_WORDS = {
    "embedder": "Embedder: turns each item into one vector. Fast search over everything.",
    "reranker": "Reranker: looks at the question and one result together. Slower, sorts the first results better.",
    "late-interaction": "Late interaction: compares part by part. Between the two in speed and sharpness.",
}
STATE_WORDS = {
    "queued": "waiting",
    "starting": "starting",
    "running": "running",
    "stopping": "stopping",
    "stopped": "stopped",
    "finished": "finished",
    "failed": "failed",
    "crashed": "crashed",
}


def modality(name: str) -> str:
    """`image` → picture; `text+image` → text and picture."""
    return " and ".join(MODALITY_WORDS.get(part, part) for part in name.split("+"))


def plurals(names: Iterable[str]) -> str:
    """pictures and sounds."""
    return listing([MODALITY_PLURALS.get(name, f"{modality(name)} together") for name in names])


def direction(name: str) -> str:
    """`text->image` → text → picture; `all` → as uploaded."""
    if name == "all":
        return "as uploaded"
    source, _, target = name.partition("->")
    return f"{modality(source)} → {modality(target)}"


def listing(parts: list[str]) -> str:
    """a, b and c."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""


def count(number: int, noun: str, plural: str = "") -> str:
    """1 query; 2,412 queries."""
    return f"{number:,} {noun if number == 1 else plural or plural_of(noun)}"


def plural_of(noun: str) -> str:
    """The plural of the user's word for a side, by the plain rules of English."""
    for between in (" or ", " and "):
        if between in noun:
            return between.join(plural_of(part) for part in noun.split(between))
    if not noun or not noun[-1].isalpha():
        return noun
    if noun.endswith("y") and len(noun) > 1 and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def measure(name: str) -> str:
    """`ndcg@10` → NDCG@10, `recall@1` → Recall@1."""
    family, _, rank = name.partition("@")
    return f"{family.upper() if len(family) < 5 else family.capitalize()}@{rank}"


def number(value: float | None, digits: int = 3) -> str:
    """0.912, with a real minus sign where it is negative, or a dash where there is no number."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 3) -> str:
    """+0.087 or −0.004, with a real minus sign."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{'−' if value < 0 else '+'}{abs(value):.{digits}f}"


def interval(bounds: Iterable[float | None] | None) -> str:
    """[0.071, 0.104]."""
    if bounds is None:
        return ""
    return "[" + ", ".join(number(bound) for bound in bounds) + "]"


def duration(seconds: float | None) -> str:
    """12 s, 7 min 12 s, 3 h 5 min."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def milliseconds(value: float | None) -> str:
    """0.42 ms, 12 ms, 3.4 s."""
    if value is None or not math.isfinite(value):
        return "–"
    if value >= 1000:
        return f"{value / 1000:.2g} s" if value < 10_000 else f"{value / 1000:,.0f} s"
    return f"{value:.2g} ms" if value < 10 else f"{value:.0f} ms"


def remaining(seconds: float | None) -> str:
    """A guess at what is left, no finer than a guess is: 40 s, 3 min 20 s, 38 min, 3 h 5 min."""
    if seconds is None or not math.isfinite(seconds) or seconds < 60:
        return duration(seconds)
    step = 10 if seconds < 600 else 60
    return duration(round(seconds / step) * step)


def size(count_of_bytes: float | None) -> str:
    """512 B, 25.6 GB: decimal units."""
    if count_of_bytes is None or not math.isfinite(count_of_bytes):
        return "–"
    value = float(count_of_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def clock(seconds_since_epoch: float | None) -> str:
    """14:02 today, else 3 May, 14:02."""
    if not seconds_since_epoch:
        return "–"
    then, now = time.localtime(seconds_since_epoch), time.localtime()
    hour = time.strftime("%H:%M", then)
    return hour if then[:3] == now[:3] else f"{then.tm_mday} {time.strftime('%b', then)}, {hour}"
