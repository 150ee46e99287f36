"""A corpus embedded by one model, on disk, and the search over it.

    registry.py    which table of the database is the live one of each index, and what it holds
    table.py       one LanceDB table: columns, chunks, the approximate index, one query
    writer.py      the thread that commits chunks while the model reads the next ones
    recall.py      what the approximate index misses, measured against exact search
    build.py       embed a corpus chunk by chunk into a new table, continue a begun one, publish it when it is whole
    recent.py      a bounded cache that several threads share
    loaded.py      the models that queries have used last
    memory.py      vectors of a small index in memory, at a smaller size
    search.py      one query of any modality: encode, search, rerank, and the time of each
    results.py     what a search answers
    full_text.py   full text by BM25 in a table that is thrown away, as the floor for embedders

Only this folder imports LanceDB. Lance must not cross a fork: processes that use it are spawned.
"""
