"""The Evaluate tab: score models on the held-out part, side by side, and read the answers part by part.

tab.py        the frame: which evaluation is shown, the form that starts one, its progress
views.py      the HTML of the frame, and what the parts share
size.py       which size to ship: NDCG@10 against dimension, the recommendation, every size
verdicts.py   whether it helped: comparisons, directions
where.py      which groups of queries gained and lost
queries.py    who gained and who lost: each query with what two models found; compared.py says which
again.py      the same evaluation anew, when its collection has changed since
pipelines.py   is a second stage worth it: reranker and full text against time; pipelines_views.py draws it
map.py        where each model puts the items; map_views.py draws it
"""

from workbench.ui.evaluate.tab import build

__all__ = ["build"]
