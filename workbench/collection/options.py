"""What an import can be told besides the roles of the columns, in one place for the page, the jobs and the commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from workbench.collection.pdf import PAGE_DPI
from workbench.errors import WorkbenchError

MIN_PAGE_DPI, MAX_PAGE_DPI = 36, 600
MIN_SEGMENT_SECONDS, MAX_SEGMENT_SECONDS = 0.5, 3600.0


@dataclass(frozen=True)
class ImportOptions:
    """How files are read. Raises WorkbenchError where a value makes no sense."""

    page_dpi: int = PAGE_DPI
    """Dots an inch at which the pages of PDFs are drawn."""

    segment_seconds: float | None = None
    """Videos are cut into documents of this many seconds; None leaves them whole."""

    own_split: bool = False
    """Hold out afresh, whatever the names of the tables say (train.csv, test.csv)."""

    def __post_init__(self) -> None:
        if not MIN_PAGE_DPI <= self.page_dpi <= MAX_PAGE_DPI:
            raise WorkbenchError(
                f"Pages cannot be drawn at {self.page_dpi:,} dpi. Choose {MIN_PAGE_DPI} to {MAX_PAGE_DPI}."
            )
        seconds = self.segment_seconds
        if seconds is not None and not MIN_SEGMENT_SECONDS <= seconds <= MAX_SEGMENT_SECONDS:
            raise WorkbenchError(
                f"Videos cannot be cut into segments of {seconds:g} seconds. "
                f"Choose {MIN_SEGMENT_SECONDS:g} to {MAX_SEGMENT_SECONDS:,.0f}."
            )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> ImportOptions:
        """Those of a job's spec: keys that are no option are not looked at, and None stands for the default."""
        names = [option.name for option in fields(cls)]
        return cls(**{name: given[name] for name in names if given.get(name) is not None})
