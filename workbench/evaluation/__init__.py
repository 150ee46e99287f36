"""Did it help, and which size to ship: rank the held-out part of a collection and say how sure that is.

held_out.py     what is asked of a model: directions, their corpora, what is relevant
vectors.py      each item encoded once, kept in memory-mapped files under fingerprints
precision.py    float32, int8 and binary vectors, each scored by a dot product
ranking.py      the best documents of each query, in blocks, with one tie rule
measures.py     NDCG@10 and friends of each query, by ``ir_measures``
statistics.py   intervals and paired comparisons
scoring.py      all of it for one model
reranking.py    a reranker behind a first stage
floors.py       what a model must beat: full text, and guessing
pipelines.py    is a second stage worth it, end to end against time; pipeline_stages.py ranks and times
evaluate.py     all of it for several models, as a job
results.py      evaluations on disk
report.py       what a plot and a table need
map.py          where each model puts the items: map_points.py says which, map_colours.py in what groups
projection.py   several models laid out in two dimensions together, by PCA and UMAP
gap.py          how far apart the modalities lie
report_file.py  a report to keep or to send: report_content.py gathers, report_html.py draws, report_csv.py tables
mteb_result.py  results as mteb keeps them; model_card.py puts them into a model's card
"""
