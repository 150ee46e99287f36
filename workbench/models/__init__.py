"""Load, encode, rerank: every model of the workbench behind two small classes.

Torch and Sentence Transformers load when a model does, not when this is imported.
"""

from workbench.models.embedder import Embedder
from workbench.models.items import LazyItems
from workbench.models.load import load_embedder, load_reranker
from workbench.models.reranker import Reranker
from workbench.models.vectors import truncate

__all__ = ["Embedder", "LazyItems", "Reranker", "load_embedder", "load_reranker", "truncate"]
