"""A collection that is one already: corpus, queries and judgements by id, as BEIR and MTEB keep them.

corpus.jsonl  queries.jsonl  qrels/train.tsv qrels/test.tsv     BEIR: _id, title, text; query-id, corpus-id, score
corpus/*.parquet  queries/*.parquet  qrels/*.parquet            MTEB: the same with id, and media as columns
documents.csv  queries.csv  judgements.csv                      the same from a spreadsheet
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from workbench.collection.archive import Files
from workbench.collection.columns import as_text, cell_values, plain_cell, recognise_in, score_of
from workbench.collection.filling import Filled, Progress, Skipped, Steps, Target, check_enough
from workbench.collection.items import ItemReader
from workbench.collection.joined import as_id
from workbench.collection.options import ImportOptions
from workbench.collection.splits import split_words
from workbench.collection.store import SIDES
from workbench.collection.tables import SAMPLE_ROWS, Row, Table
from workbench.errors import WorkbenchError
from workbench.media import NOUNS

QUERY_IDS = ("query-id", "query_id", "queryid", "query id", "qid", "q_id", "topic_id")
DOCUMENT_IDS = (
    *("corpus-id", "corpus_id", "corpusid", "document-id", "document_id", "documentid", "document id"),
    *("doc-id", "doc_id", "doc id", "docid", "docno", "did", "passage-id", "passage_id", "pid"),
)
OWN_IDS = ("_id", "id")
SCORES = ("score", "relevance", "rel", "label", "grade", "gain", "rating", "similarity")
MOST_QREL_COLUMNS = 8
CONTENT = {"queries": ("text", "query", "question"), "corpus": ("text", "contents", "content", "passage", "body")}
IGNORED = ("modality",)  # told from the bytes themselves
_NAMES = {"corpus": r"corpus|documents?|docs|passages?|collection", "queries": r"quer(y|ies)|questions?|topics"}


@dataclass(frozen=True)
class Retrieval:
    """An opened collection: the tables of its two sides, those of its judgements, and the split of each of those.

    origin: what the card is to keep of where it came from.
    """

    label: str
    files: Files
    queries: list[Table]
    corpus: list[Table]
    judgements: list[Table]
    splits: dict[str, str]
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What it is, for the page."""
        told = [f"“{table.label}”{split_words(self.splits.get(table.name, ''))}" for table in self.judgements]
        return (
            f"A collection by ids, as BEIR and MTEB keep one: documents in {_names(self.corpus)}, queries in "
            f"{_names(self.queries)}, judgements in {', '.join(told[:4]) or 'none'}{' …' if len(told) > 4 else ''}."
        )

    def columns(self) -> list[str]:
        """No columns: nothing is to be chosen."""
        return []

    def sample(self, side: str, rows: int = SAMPLE_ROWS) -> list[tuple[Table, Row]]:
        """The first rows of a side."""
        tables = self.queries if side == "queries" else self.corpus
        return list(itertools.islice(((table, row) for table in tables for row in table.rows()), rows))


def find_retrieval(label: str, files: Files, tables: Sequence[Table], splits: dict[str, str]) -> Retrieval | None:
    """The tables as one collection, None if they are none. Raises WorkbenchError if they are several."""
    judgements = [table for table in tables if _holds_judgements(table)]
    if not judgements and not _is_export(files):
        return None
    rest = [table for table in tables if table not in judgements]
    sides = {side: [table for table in rest if _side_of(table) == side] for side in SIDES}
    if sum(map(len, sides.values())) < len(rest) or not all(sides.values()):
        return None
    for side, found in sides.items():
        folders = {table.folder for table in found}
        if len(folders) > 1:
            shown = ", ".join(sorted(folder or "the top folder" for folder in folders)[:5])
            noun = "corpora" if side == "corpus" else "sets of queries"
            raise WorkbenchError(f"“{label}” holds {len(folders)} {noun} ({shown}). Bring one of them at a time.")
        for table in found:
            own_id(table, side)
    # Judgements that are all to train on leave the choice of what to hold out to us.
    given = {table.name: splits.get(table.name, "") for table in judgements}
    if "eval" not in given.values():
        given = {}
    return Retrieval(label, files, sides["queries"], sides["corpus"], judgements, given)


def fill_with_retrieval(
    target: Target, source: Retrieval, *, options: ImportOptions | None = None, progress: Progress | None = None
) -> Filled:
    """Write a collection by ids into a collection new or old: its documents, its queries, then its judgements.

    Raises WorkbenchError if not one judgement can be used.
    """
    options = options or ImportOptions()
    tables = {"corpus": source.corpus, "queries": source.queries, "judgements": source.judgements}
    total = sum(table.count_rows() for some in tables.values() for table in some)
    skipped, steps = Skipped(), Steps(progress, total, "Reading documents")
    reader = ItemReader(source.files, target, options.page_dpi)
    # An export of documents without queries has an empty table of them, and no judgements.
    sides = [side for side in ("corpus", "queries") if source.judgements or source.sample(side, 1)]
    ids = {side: _fill_side(target, source, side, reader, (skipped, steps)) for side in sides}
    for table in source.judgements:
        split = "" if options.own_split else source.splits.get(table.name, "")
        columns = judgement_columns(table)
        for row in table.rows():
            steps.step("Reading judgements")
            try:
                _judge(target, row, columns, ids, split)
            except WorkbenchError as error:
                skipped.add(row.number, f"Row {row.number} of “{table.label}”: {error.message}")
    steps.end()
    judged = sum(table.count_rows() for table in source.judgements)
    if source.judgements:
        check_enough(source.label, target, skipped, judged)
    told = {"file": source.label, "rows": total, "roles": {}, **source.origin}
    return Filled(_labels(source), told, skipped.lines())


def _is_export(files: Files) -> bool:
    """Whether the upload is an export of ours, which may be of documents that nothing was judged for yet."""
    return any(name.rpartition("/")[2] == "workbench.json" for name in files.names())


def own_id(table: Table, side: str) -> str:
    """The column with the ids of a side's items. Raises WorkbenchError if there is none."""
    names = {name.lower(): name for name in reversed(table.columns)}
    for wanted in (*OWN_IDS, *(QUERY_IDS if side == "queries" else DOCUMENT_IDS)):
        if wanted in names:
            return names[wanted]
    raise WorkbenchError(f"“{table.label}” has no column of ids. Call it “_id”. It has: {', '.join(table.columns)}.")


def judgement_columns(table: Table) -> tuple[str, str, str | None]:
    """The columns of a table of judgements: query id, document id and score (None if there is none)."""
    names = {name.lower(): name for name in reversed(table.columns)}
    query = next((names[name] for name in QUERY_IDS if name in names), "")
    document = next((names[name] for name in DOCUMENT_IDS if name in names), "")
    return query, document, next((names[name] for name in SCORES if name in names), None)


def _holds_judgements(table: Table) -> bool:
    query, document, _ = judgement_columns(table)
    return bool(query and document) and len(table.columns) <= MOST_QREL_COLUMNS


def _side_of(table: Table) -> str:
    """queries or corpus, as the name of a table says it, or else that of its folder; "" if neither does."""
    for part in (table.label.rpartition(".")[0], table.folder.rpartition("/")[2]):
        for side, words in _NAMES.items():
            if re.search(rf"(^|[^a-z])({words})($|[^a-z])", part, re.IGNORECASE):
                return side
    return ""


def _names(tables: Sequence[Table]) -> str:
    return f"“{tables[0].label}”" + (f" and {len(tables) - 1:,} more" if len(tables) > 1 else "")


def _labels(source: Retrieval) -> dict[str, str]:
    """The words for the two sides: those of an export of ours, if the upload is one."""
    labels = {"query": "query", "document": "document"}
    folder = source.corpus[0].folder.rpartition("/")[0]
    name = source.files.find("workbench.json", folder)
    if name is not None:
        with suppress(ValueError, OSError, WorkbenchError):
            told = json.loads(source.files.read(name)).get("labels", {})
            labels |= {side: str(told[side])[:200] for side in labels if told.get(side)}
    return labels


def _fill_side(
    target: Target, source: Retrieval, side: str, reader: ItemReader, told: tuple[Skipped, Steps]
) -> dict[str, str]:
    """Write the items of a side; returns the ids they have here by those of the source."""
    skipped, steps = told
    note = "Reading queries" if side == "queries" else "Reading documents"
    content, meta_columns, kinds = _plan_side(source, side)
    ids: dict[str, str] = {}
    for table in source.queries if side == "queries" else source.corpus:
        key = own_id(table, side)
        for row in table.rows():
            steps.step(note)
            try:
                if row.problem:
                    raise WorkbenchError(row.problem)
                values = cell_values(row.cells.get(key))
                if not values:
                    raise WorkbenchError(f"the id in “{key}” is empty. Give one, or remove the row.")
                _add(target, side, reader, (as_id(values[0]), table, row), (content, meta_columns, kinds), ids)
            except WorkbenchError as error:
                skipped.add(row.number, f"Row {row.number} of “{table.label}”: {error.message}")
    return ids


def _add(
    target: Target,
    side: str,
    reader: ItemReader,
    place: tuple[str, Table, Row],
    plan: tuple[list[str], list[str], dict[str, str]],
    ids: dict[str, str],
) -> None:
    identifier, table, row = place
    content, meta_columns, kinds = plan
    cells = _with_title(row.cells, content[0]) if kinds[content[0]] not in NOUNS else row.cells
    item = reader.merged(side, table, cells, content, kinds, _meta(cells, meta_columns))
    if identifier in ids and ids[identifier] != (item.id or item.content_id()):
        raise WorkbenchError(f"the id “{identifier[:80]}” is there already, with another content. Give it another id.")
    ids[identifier] = target.add(side, item)


def _plan_side(source: Retrieval, side: str) -> tuple[list[str], list[str], dict[str, str]]:
    """The columns that make an item, those that go with it as metadata, and the kind of each."""
    rows = source.sample(side)
    if not rows:
        raise WorkbenchError(f"“{source.label}” holds no {'queries' if side == 'queries' else 'documents'}.")
    tables = source.queries if side == "queries" else source.corpus
    names = list(dict.fromkeys(name for table in tables for name in table.columns))
    kinds = {
        name: recognise_in([(row.cells.get(name), table.folder) for table, row in rows], source.files) for name in names
    }
    own = {own_id(table, side) for table in tables}
    lowered = {name.lower(): name for name in reversed(names)}
    text = next((lowered[name] for name in CONTENT[side] if name in lowered and lowered[name] not in own), None)
    media = {kinds[name]: name for name in reversed(names) if kinds[name] in NOUNS and name not in own}
    content = ([text] if text and kinds[text] not in NOUNS else []) + list(media.values())
    content = content or [name for name in names if kinds[name] == "text" and name not in own][:1]
    if not content:
        raise WorkbenchError(f"“{tables[0].label}” has no column of texts or media. It has: {', '.join(names)}.")
    used = {*content, *own, *(name for name in names if name.lower() in IGNORED)}
    if kinds[content[0]] not in NOUNS and "title" in lowered:
        used.add(lowered["title"])
    return content, [name for name in names if name not in used and kinds[name] not in NOUNS], kinds


def _with_title(cells: dict[str, Any], text: str) -> dict[str, Any]:
    """The title before the text, as BEIR's own evaluation reads a document."""
    title = next((value for name, value in cells.items() if name.lower() == "title" and name != text), None)
    if not cell_values(title):
        return cells
    return {**cells, text: "\n".join(as_text(value) for value in (title, cells.get(text)) if cell_values(value))}


def _meta(cells: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    for name in columns:
        value = cells.get(name)
        if name.lower() in ("meta", "metadata") and isinstance(value, str) and value.startswith("{"):
            with suppress(ValueError):
                meta |= json.loads(value)
                continue
        if (plain := plain_cell(value)) is not None:
            meta[name] = plain
    return meta


def _judge(
    target: Target, row: Row, columns: tuple[str, str, str | None], ids: dict[str, dict[str, str]], split: str
) -> None:
    if row.problem:
        raise WorkbenchError(row.problem)
    query, document, score_column = columns
    found = []
    for side, column, noun in (("queries", query, "query"), ("corpus", document, "document")):
        values = cell_values(row.cells.get(column))
        if not values:
            raise WorkbenchError(f"the {noun} in “{column}” is empty. Fill it, or remove the row.")
        identifier = as_id(values[0])
        if identifier not in ids[side]:
            raise WorkbenchError(
                f"there is no {noun} “{identifier[:80]}”, or it was left out. Add it, or remove the row."
            )
        found.append(ids[side][identifier])
    score = 1.0 if score_column is None else score_of(row.cells.get(score_column), score_column)
    target.judge(found[0], found[1], score, split)
