"""Numbers, directions and models as a report says them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import PurePath

from workbench.media import NOUNS


def number(value: float | None, digits: int = 3) -> str:
    """0.912, with a real minus sign; a dash where there is no number."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}".replace("-", "−")


def signed(value: float | None) -> str:
    """+0.087, −0.004."""
    return "–" if value is None or not math.isfinite(value) else f"{value:+.3f}".replace("-", "−")


def interval(bounds: Sequence[float | None] | None) -> str:
    """[0.071, 0.104]."""
    return f"[{', '.join(map(number, bounds))}]" if bounds else ""


def direction(name: str) -> str:
    """`text->image` → text → picture; `all` → as uploaded."""
    if name == "all":
        return "as uploaded"
    sides = (" and ".join(NOUNS.get(part, part) for part in side.split("+")) for side in name.split("->"))
    return " → ".join(sides)


def model(reference: str) -> str:
    """A run and an added model by their names; a folder by its own, as a report goes to others."""
    name = reference.removeprefix("run:").removeprefix("added:")
    return PurePath(name).name if name.startswith(("/", "~")) or "\\" in name else name


def moment(seconds: float) -> str:
    """3 May 2026, 14:02."""
    then = time.localtime(seconds)
    return f"{then.tm_mday} {time.strftime('%B %Y, %H:%M', then)}"


def count(value: int, noun: str, plural: str = "") -> str:
    """1 query; 2,412 queries."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"
