"""Which columns of a table are the query, the document, the negatives and the score of an import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.collection.columns import ROLES, is_negative, propose_roles
from workbench.errors import WorkbenchError

Roles = Mapping[str, "str | Sequence[str] | None"]


@dataclass(frozen=True)
class Plan:
    """The columns of each role. Several query or document columns make one item of several modalities; several
    negative columns are several documents. `meta` go with the document; `kinds` has the kind of every column."""

    query: list[str]
    document: list[str]
    negative: list[str]
    score: str | None
    meta: list[str]
    kinds: dict[str, str]


def plan_roles(kinds: dict[str, str], roles: Roles | None, label: str, *, ignored: str | None = None) -> Plan:
    """What to do with each column.

    roles: role to column (or columns). Query and document that are missing or None are proposed. Negative and score
    are proposed where they are missing, and left out where they are None, unless every role is None.
    label: the table's name for messages. ignored: a column that is used otherwise, unless a role names it.
    Raises WorkbenchError if a column is missing, is of no use for its role, has two roles, or if a query or a document
    is lacking.
    """
    given = dict(roles or {})
    if not any(given.values()):
        given = {}
    unknown = [role for role in given if role not in ROLES]
    if unknown:
        raise WorkbenchError(f"“{unknown[0]}” is no role. The roles are {', '.join(ROLES)}.")
    chosen = {role: _columns(given.get(role)) for role in ROLES}
    if ignored and not any(ignored in columns for columns in chosen.values()):
        kinds = {column: kind for column, kind in kinds.items() if column != ignored}
    for column in (column for columns in chosen.values() for column in columns):
        if column not in kinds:
            raise WorkbenchError(f"“{label}” has no column “{column}”. Its columns are: {', '.join(kinds)}.")
    score = chosen["score"]
    if score and kinds[score[0]] != "number":
        raise WorkbenchError(
            f"The column “{score[0]}” holds {kinds[score[0]]}, and a score is a number. Choose another."
        )
    settled = {role: next(iter(chosen[role]), None) for role in ("query", "document")}
    taken = {column for columns in chosen.values() for column in columns}
    free = {column: kind for column, kind in kinds.items() if column not in taken or column in settled.values()}
    for column, role in propose_roles(free, settled["query"], settled["document"]).items():
        open_role = settled[role] is None if role in settled else role not in given
        if open_role and column not in taken:
            chosen[role].append(column)
    if "negative" not in given and len(chosen["document"]) == 1:
        # Negatives that no row at the top has may come further down: of the kind of the documents, as all are.
        later = [column for column, kind in kinds.items() if kind == "empty" and is_negative(column)]
        kinds = {**kinds, **dict.fromkeys(later, kinds.get(chosen["document"][0], "text"))}
        chosen["negative"] += [column for column in later if column not in taken]
    _check(chosen, kinds, label)
    used = {column for columns in chosen.values() for column in columns}
    meta = [column for column, kind in kinds.items() if column not in used and kind in ("text", "number", "empty")]
    return Plan(
        chosen["query"], chosen["document"], chosen["negative"], next(iter(chosen["score"]), None), meta, dict(kinds)
    )


def _columns(value: str | Sequence[str] | None) -> list[str]:
    if not value:
        return []
    return [value] if isinstance(value, str) else list(value)


def _check(chosen: dict[str, list[str]], kinds: dict[str, str], label: str) -> None:
    for role, words in (("query", "what people look for"), ("document", "what should be found")):
        if not chosen[role]:
            names = ", ".join(kinds)
            raise WorkbenchError(f"No column of “{label}” looks like the {role}, {words}. Choose one of: {names}.")
    seen: set[str] = set()
    for role, columns in chosen.items():
        for column in columns:
            if column in seen:
                raise WorkbenchError(f"The column “{column}” has two roles. Choose another for the {role}.")
            seen.add(column)
            if kinds[column] == "empty":
                raise WorkbenchError(f"The column “{column}” is empty, so it cannot be the {role}. Choose another.")
    for role in ("query", "document"):
        modalities = [kinds[column].replace("number", "text") for column in chosen[role]]
        if len(set(modalities)) < len(modalities):
            raise WorkbenchError(
                f"The columns {', '.join(chosen[role])} are of the same kind; one {role} can hold one of each. "
                "Choose one of them."
            )
