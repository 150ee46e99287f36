"""A corpus embedded by one model, on disk, and the search over it.

    registry.py    which table of the database is the live one of each index, and what it holds
    table.py       one LanceDB table: columns, chunks, the approximate index, one query
    writer.py      the thread that commits chunks while the model reads the next ones
    recall.py      what the approximate index misses, measured against exact search
    build.py       embed a corpus chunk by chunk into a new table, continue a begun one, publish it when it is whole
    filling.py     what a table and a collection do not have in common, and embedding only that
    finishing.py   the last steps of a table: merge, index, measure, publish
    life.py        follow the collection, move to another model, roll back, compact
    copying.py     a table made of another one at once, to be changed beside it
    sweeping.py    tables that no card names: one to go on with, the others to delete
    recent.py      a bounded cache that several threads share
    loaded.py      the models that queries have used last
    memory.py      vectors of a small index in memory, at a smaller size
    codes.py       search by signs in memory, rescored by vectors
    full_text.py   full text by BM25: beside the vectors, and in a table that is thrown away, as the floor for embedders
    search.py      queries of any modality: encode, search, rerank, and the time of each
    wish.py        what a search asks for, checked
    opened.py      what searches have opened last
    first_stage.py the nearest vectors and full text; fusion.py makes one list of both
    second_stage.py  a reranker reads the first candidates, if it fits the time
    results.py     what a search answers
    location.py    where tables lie: the workspace, another folder, or an address; what a place must be able to do
    reading.py     the live table of an index, read whole, slice by slice
    state.py       pieces, versions and place of an index's files
    verify.py      whether an index is whole and says what it is; row_checks.py looks at its rows
    export.py      an index as Parquet; export_readme.py says how other databases load it

Only this folder imports LanceDB. Lance must not cross a fork: processes that use it are spawned.
"""
