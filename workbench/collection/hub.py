"""A data set on the Hugging Face Hub as a source of rows: streamed, so that no more is fetched than is looked at.

Its media come with the rows, or are files of the same repository; nothing else that a row names is ever opened.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from workbench.collection.archive import MAX_FILE_BYTES, check_file_size, safe_name
from workbench.collection.columns import split_of_word
from workbench.collection.hub_words import check_repo_id, hub_in_words
from workbench.collection.reading import Preview, preview_source
from workbench.collection.retrieval import Retrieval
from workbench.collection.source import Source
from workbench.collection.store import SIDES
from workbench.collection.tables import SAMPLE_ROWS, Row, Table
from workbench.errors import WorkbenchError

PREVIEW_ROWS = SAMPLE_ROWS
BATCH_ROWS = 32
EVERY_ROW = 1 << 60
# The configurations of MTEB's layout that hold its judgements.
JUDGING = ("default", "qrels")
KINDS = {"Image": "image", "Audio": "audio", "Video": "video"}


@dataclass(frozen=True)
class HubSet:
    """Which rows of which data set: repo (USER/NAME), configuration, split, and how many rows at most (0: all)."""

    repo: str
    config: str = ""
    split: str = ""
    rows: int = 0

    @classmethod
    def of_spec(cls, spec: dict[str, Any]) -> HubSet:
        """From {"repo", "config", "split", "rows"}, of which all but the first may be missing or None."""
        rows = int(spec.get("rows") or 0)
        return cls(check_repo_id(str(spec["repo"])), spec.get("config") or "", spec.get("split") or "", max(0, rows))


def preview_dataset(repo: str, config: str = "", split: str = "", rows: int = PREVIEW_ROWS) -> Preview:
    """The columns of a data set with kinds, proposed roles and samples, and its first rows; fetches little more.

    row_count is that of the whole split, None where the Hub does not tell. Raises WorkbenchError as `open_dataset`.
    """
    source = open_dataset(HubSet(check_repo_id(repo), config, split, min(max(rows, 1), SAMPLE_ROWS)))
    preview = preview_source(source)
    return replace(preview, row_count=source.table.total) if isinstance(source, HubSource) else preview


def open_dataset(wanted: HubSet) -> HubSource | Retrieval:
    """Open a data set for reading row by row.

    Without a configuration the only one is taken, or all of MTEB's layout (corpus, queries and judgements by id, of
    which `rows` then limits the last); without a split the only one or `train`, in MTEB's layout every one of the
    judgements. Raises WorkbenchError if there is no network, no such data set, configuration or split (naming those
    that are), or it may not be read.
    """
    from huggingface_hub import HfApi

    repo = check_repo_id(wanted.repo)
    if Path(repo).exists():
        raise WorkbenchError(
            f"The workbench was started in a folder that holds “{repo}” too, and that would be read in the place of "
            "the data set. Start it in another folder."
        )
    api = HfApi()
    with _in_words(repo):
        # One quick question first: the streaming client asks for half a minute before it gives a missing network up.
        info = api.dataset_info(repo)
        files = HubFiles(repo, str(info.sha), [sibling.rfilename for sibling in info.siblings or []], api.endpoint)
        configs = [] if wanted.config else _config_names(files)
        judging = next((name for name in JUDGING if name in configs), "")
        if judging and set(SIDES) <= set(configs):
            return _open_retrieval(files, judging, wanted)
        tables = _tables(files, wanted.config, wanted.rows)
    table = _chosen(tables, wanted, "train")[0]
    table.label = repo.partition("/")[2] + (f" ({table.split})" if len(tables) > 1 else "")
    return HubSource(table.label, files, [table])


def _open_retrieval(files: HubFiles, judging: str, wanted: HubSet) -> Retrieval:
    """A data set in MTEB's layout. judging: the configuration that holds the judgements."""
    sides: dict[str, list[Table]] = {side: [*_tables(files, side, 0).values()] for side in SIDES}
    chosen = _chosen(_tables(files, judging, wanted.rows), wanted, "")
    splits = {table.name: split_of_word(table.split) or "" for table in chosen}
    given = splits if "eval" in splits.values() and len(splits) > 1 else {}
    return Retrieval(files.repo, files, sides["queries"], sides["corpus"], [*chosen], given)


def _chosen(tables: dict[str, HubTable], wanted: HubSet, usual: str) -> list[HubTable]:
    """The table of the split that is wanted, else the only or the usual one; all of them where none is usual."""
    if wanted.split in tables:
        return [tables[wanted.split]]
    if not wanted.split and (len(tables) == 1 or not usual):
        return list(tables.values())
    if not wanted.split and usual in tables:
        return [tables[usual]]
    lack = f"no split “{wanted.split}”" if wanted.split else "several splits"
    raise WorkbenchError(f"“{wanted.repo}” has {lack}. Choose one of: {', '.join(tables)}.")


class HubSource(Source):
    """A source whose one table is on the Hub."""

    @property
    def table(self) -> HubTable:
        table = self.tables[0]
        assert isinstance(table, HubTable)
        return table

    def kinds(self, rows: Sequence[tuple[Table, Row]]) -> dict[str, str]:
        """As the data set declares them; what it leaves open is told from the rows."""
        open_rows = [(table, Row(row.number, self._undeclared(row.cells))) for table, row in rows]
        return {**super().kinds(open_rows), **{name: kind for name, kind in self.table.declared.items() if kind}}

    def _undeclared(self, cells: dict[str, Any]) -> dict[str, Any]:
        return {name: cell for name, cell in cells.items() if name not in self.table.declared}


class HubTable(Table):
    """The rows of one split, at most `limit` of them (0: all).

    declared: column to image, audio or video, where the data set says so. total: how many rows there are, None if
    nobody says.
    """

    def __init__(self, files: HubFiles, config: str, dataset: Any, total: int | None, limit: int) -> None:
        self.split = str(dataset.split)
        super().__init__(files, f"{config}/{self.split}")
        self.extension = "hub"
        self.repo, self.total = files.repo, total
        features = dict(dataset.features or {})
        # Without features a row comes as it lies there: no media decoded, none encoded anew. `take` copies the info.
        dataset = dataset.take(limit or EVERY_ROW)
        dataset.info.features = None
        self.declared = {name: kind for name, feature in features.items() if (kind := _declared_kind(feature))}
        self._labels = {name: feature.names for name, feature in features.items() if getattr(feature, "names", None)}
        self._names = list(features)
        self._dataset, self._limit, self._read = dataset, limit, 0

    @cached_property
    def columns(self) -> list[str]:
        if self._names:
            return self._names
        return list(dict.fromkeys(name for row in islice(self.rows(), BATCH_ROWS) for name in row.cells))

    def rows(self) -> Iterator[Row]:
        number = 0
        with _in_words(self.repo):
            for number, cells in enumerate(self._dataset, start=1):
                yield Row(number, {str(name): self._cell(name, cell) for name, cell in cells.items()})
        self._read = number

    def _cell(self, name: str, cell: Any) -> Any:
        """The cell, a class by its name rather than its number."""
        names = self._labels.get(name, [])
        return names[cell] if isinstance(cell, int) and 0 <= cell < len(names) else cell

    def count_rows(self) -> int:
        """How many rows `rows` gives; where the Hub does not say, how many it gave when it was read, 0 before."""
        if self.total is None:
            return self._read or self._limit
        return min(self.total, self._limit) if self._limit else self.total


class HubFiles:
    """The files of one commit of a data set. Names are those in the repository, also in an archive: a.zip::b.png."""

    missing_advice = "is not in the data set. Choose another column, or leave such rows out."

    def __init__(self, repo: str, commit: str, names: list[str], endpoint: str) -> None:
        self.repo, self.commit, self._names, self._endpoint = repo, commit, set(names), endpoint
        self._root = f"datasets/{repo}@{commit}"
        self._opened: tuple[str, zipfile.ZipFile] | None = None

    def names(self) -> list[str]:
        return sorted(self._names)

    def find(self, name: str, folder: str = "") -> str | None:
        """The name in the repository for a path in a row; None if it is no file of this very commit."""
        archived = re.fullmatch(r"zip://(.+?)::(.+)", name)
        if archived:
            outer = self.find(archived[2])
            return f"{outer}::{safe_name(archived[1])}" if outer else None
        relative = safe_name(name.removeprefix(f"hf://{self._root}/"))
        return relative if relative in self._names else None

    def open(self, name: str) -> BinaryIO:
        outer, _, inner = name.partition("::")
        if inner:
            return self._archive(outer).open(inner)  # type: ignore[return-value]
        return self._files.open(f"{self._root}/{outer}", "rb")  # type: ignore[no-any-return]

    def read(self, name: str) -> bytes:
        with _in_words(self.repo):
            check_file_size(name, self.size(name))
            with self.open(name) as file:
                # One byte more than is allowed shows a member that lies about its size.
                data = file.read(MAX_FILE_BYTES + 1)
        check_file_size(name, len(data))
        return data

    def size(self, name: str) -> int:
        outer, _, inner = name.partition("::")
        if outer not in self._names:
            return 0
        with _in_words(self.repo):
            if inner:
                return self._archive(outer).getinfo(inner).file_size
            return int(self._files.info(f"{self._root}/{outer}")["size"])

    def _archive(self, name: str) -> zipfile.ZipFile:
        """A ZIP of the repository. The last one stays open: its directory is fetched once, not once a member."""
        if self._opened is None or self._opened[0] != name:
            self._opened = (name, zipfile.ZipFile(self._files.open(f"{self._root}/{name}", "rb")))
        return self._opened[1]

    @cached_property
    def _files(self) -> Any:
        from huggingface_hub import HfFileSystem

        return HfFileSystem(endpoint=self._endpoint, block_size=1 << 20)


def _config_names(files: HubFiles) -> list[str]:
    from datasets import get_dataset_config_names

    return [str(name) for name in get_dataset_config_names(files.repo, revision=files.commit)]


def _tables(files: HubFiles, config: str, limit: int) -> dict[str, HubTable]:
    """The splits of a configuration ("": the only one) by name, each to be read to at most `limit` rows (0: all)."""
    from datasets import load_dataset_builder

    try:
        builder = load_dataset_builder(files.repo, config or None, revision=files.commit)
    except ValueError as error:
        if "Config name is missing" not in str(error) and "BuilderConfig" not in str(error):
            raise
        lack = f"no configuration “{config}”" if config else "several configurations"
        names = ", ".join(_config_names(files))
        raise WorkbenchError(f"“{files.repo}” has {lack}. Choose one of: {names}.") from error
    if hasattr(builder.config, "batch_size"):
        # Else a batch is a whole row group, however large its media.
        builder.config.batch_size = BATCH_ROWS
    if hasattr(builder.config, "decode_num_threads"):
        builder.config.decode_num_threads = 0
    splits = builder.as_streaming_dataset()
    name = builder.config.name
    return {split: HubTable(files, name, rows, _total(builder, split), limit) for split, rows in splits.items()}


def _total(builder: Any, split: str) -> int | None:
    known = (builder.info.splits or {}).get(split)
    return int(known.num_examples) if known is not None and known.num_examples else None


def _declared_kind(feature: Any) -> str:
    """image, audio or video for such a feature or a list of them; else nothing."""
    inner = getattr(feature, "feature", None) or (feature[0] if isinstance(feature, list) and feature else feature)
    return KINDS.get(type(inner).__name__, "")


@contextmanager
def _in_words(repo: str) -> Iterator[None]:
    """What the Hub's and the data sets' libraries raise, as a sentence."""
    try:
        with hub_in_words(repo):
            yield
    except WorkbenchError:
        raise
    except Exception as error:
        raise WorkbenchError(_reading_words(error, repo)) from error


def _reading_words(error: Exception, repo: str) -> str:
    if "scripts are no longer supported" in str(error):
        return (
            f"“{repo}” needs a program of its own to be read, and such programs are not run. Choose another data set."
        )
    if type(error).__name__ in ("EmptyDatasetError", "DataFilesNotFoundError"):
        return f"“{repo}” holds no table and no media that can be read as a data set."
    detail = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
    return f"“{repo}” cannot be read: {detail}. Choose another data set, configuration or split."
