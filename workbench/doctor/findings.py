"""What the doctor says: one finding is one kind of fault, the items it was seen in, and what would mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = (
    "exact-duplicate",
    "near-duplicate",
    "contradiction",
    "false-negative",
    "leaked-query",
    "leaked-document",
    "unreadable",
    "truncated-text",
    "blank-image",
    "silence",
    "imbalance",
    "direction",
    "hub",
    "personal-data",
    "length",
    "size",
)
SEVERITIES = ("blocks", "hurts", "note")
SEVERITY_WORDS = {"blocks": "blocks training", "hurts": "likely to hurt", "note": "worth knowing"}
EXAMPLE_GROUPS = 5


@dataclass(frozen=True)
class Finding:
    """One fault of a collection.

    severity: `blocks` (training fails or its score means nothing), `hurts` (it is likely to harm the model or the
    score) or `note` (worth knowing). sentence: what was found, with its figures, for the page.
    groups: the offenders. Each is a list of item ids of `side` (of duplicates the first is the one to keep), or
    [query id, document id] where side is `judgements`.
    fix: the label of the Fix button, empty if only the user can mend it; advice: what to do by hand.
    detail: figures for the page; `how` in it tells `fixes` apart what two findings of one kind need.
    """

    kind: str
    severity: str
    sentence: str
    side: str = ""
    groups: list[list[str]] = field(default_factory=list)
    fix: str = ""
    advice: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.severity not in SEVERITIES:
            raise ValueError(f"a finding of kind {self.kind!r} and severity {self.severity!r}")

    @property
    def count(self) -> int:
        return len(self.groups)

    @property
    def fixable(self) -> bool:
        return bool(self.fix)

    @property
    def examples(self) -> list[str]:
        """The ids of the first few groups, in one list."""
        return [identifier for group in self.groups[:EXAMPLE_GROUPS] for identifier in group]

    def as_json(self) -> dict[str, Any]:
        """The finding as `check --json` prints it: examples in place of all groups."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "count": self.count,
            "examples": self.examples,
            "fixable": self.fixable,
            "sentence": self.sentence,
            "side": self.side,
            "fix": self.fix,
            "advice": self.advice,
            "detail": self.detail,
        }

    def as_stored(self) -> dict[str, Any]:
        """The whole finding as JSON, as check.json keeps it; `from_stored` reads it back."""
        return asdict(self)

    @classmethod
    def from_stored(cls, value: dict[str, Any]) -> Finding:
        return cls(**{key: value[key] for key in cls.__dataclass_fields__ if key in value})


def by_severity(findings: list[Finding]) -> list[Finding]:
    """The gravest first; within one severity in the order of KINDS, then the most frequent first."""
    return sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), KINDS.index(one.kind), -one.count))


def counted(number: int, one: str, many: str = "") -> str:
    """`1 document`, `1,200 documents`; `many` where the plural is not made with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
