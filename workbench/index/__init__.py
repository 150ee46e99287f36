"""A corpus embedded by one model, on disk, and the search over it.

Kept:
    registry.py    which table of the database is the live one of each index, what it holds, and the state before it
    table.py       one LanceDB table: columns, chunks, the approximate index, one query
    location.py    where tables lie: the workspace, another folder, or an address; what a place must be able to do
    build.py       embed a corpus into a new table, continue a begun one, publish it when it is whole
    filling.py     a table against its collection, chunk by chunk; writer.py commits them beside the model
    finishing.py   merge, index, measure, publish; recall.py measures what the approximate index misses
    sweeping.py    what kills have left: to go on with, or to delete; copying.py makes a table of another one
    life.py        follow the collection, move to another model, go back, compact
    verify.py      whether an index is whole and says what it is; row_checks.py looks at its rows
    export.py      an index as Parquet; export_readme.py says how other databases load it
    reading.py     the live table, read whole, slice by slice; state.py: its pieces, versions and place

Asked:
    search.py      queries of any modality: encode, first_stage.py, second_stage.py, and the time of each
    wish.py        what one search asks for; question.py the same as text, for an address or a saved search
    full_text.py   BM25 beside the vectors, and the floor for embedders; fusion.py joins two rankings
    fields.py      metadata as limits; memory.py and codes.py: vectors and signs in memory
    opened.py      tables, columns and collections that searches have used last; loaded.py: models; recent.py: the cache
    results.py     what a search answers; results_csv.py for a spreadsheet
    scoring.py     how well given documents answer a query; look.py: one document, its neighbours and judgements
    batch.py       thousands of queries at once; asking.py reads them
    saved.py       searches to be kept; preference.py: which of two ways to search people prefer

Only this folder imports LanceDB. Lance must not cross a fork: processes that use it are spawned.
"""
