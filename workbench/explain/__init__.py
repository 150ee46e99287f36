"""Why a document was found: which of its words, places or seconds carry the score, and which words of the query.

Parts are covered one by one and the score is taken again (occlusion): an approximation that needs nothing of a model
but its score, so that it works the same for embedders, rerankers and late-interaction models. `why` takes a document
apart; `why_result` does so for a document that a search has found.
"""

from workbench.explain.parts import APPROXIMATION, Part, Why
from workbench.explain.why import why, why_result

__all__ = ["APPROXIMATION", "Part", "Why", "why", "why_result"]
