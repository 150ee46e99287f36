"""One tiny call to a remote model, and how much a larger one would be: before anything is sent in earnest."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from workbench.collection.store import Item
from workbench.models.items import LazyItems, modalities_of
from workbench.models.remote import Remote, note_size, remote_model
from workbench.models.remote_embedder import RemoteEmbedder, batch_size_of
from workbench.models.remote_input import PICTURE_TOKENS, text_tokens
from workbench.models.remote_reranker import RemoteReranker
from workbench.workspace import Workspace

EXAMPLES = ("a red circle on the left", "a green square below it")
TEXTS_AT_ONCE = 10_000


def check_remote(workspace: Workspace, name: str, *, key: str = "") -> dict[str, Any]:
    """Ask a remote model for one vector or two scores of made-up texts, and say what came.

    {"reference", "kind", "host", "dimension", "normalised", "milliseconds", "modalities"}; an embedder's dimension is
    kept. key: else the one of its environment. Raises WorkbenchError in words if it does not answer as it should.
    """
    remote = remote_model(workspace, name)
    found: dict[str, Any] = {
        "reference": remote.reference, "kind": remote.kind, "host": remote.host, "dimension": None, "normalised": None,
        "modalities": list(remote.modalities),
    }  # fmt: skip
    started = time.perf_counter()
    if remote.kind == "embedder":
        embedder = RemoteEmbedder(remote.model_copy(update={"size": None}), key=key)
        # The first text of all tells the dimension.
        found["dimension"] = embedder.dimension
        found["normalised"] = embedder.arrived_normalised
        note_size(workspace, remote.name, embedder.dimension)
    else:
        RemoteReranker(remote, key=key).score(Item(text=EXAMPLES[0]), [Item(text=text) for text in EXAMPLES])
    return found | {"milliseconds": round((time.perf_counter() - started) * 1000)}


def preview(remote: Remote, parts: Iterable[tuple[str, Sequence[Item]]]) -> dict[str, Any]:
    """How much sending these items would be; sends nothing, and reads texts alone.

    parts: (side, items), the side being `query` or `document`. Returns {"reference", "host", "requests", "texts",
    "pictures", "tokens" (approximate), "cost" (None where no price is given)}.
    """
    counted = {"requests": 0, "texts": 0, "pictures": 0, "tokens": 0}
    for side, items in parts:
        modalities = modalities_of(items)
        for kind in dict.fromkeys(modalities.tolist()):
            count = int((modalities == kind).sum())
            counted["requests"] += -(-count // batch_size_of(remote, kind))
            counted["texts"] += count * ("text" in kind.split("+"))
            counted["pictures"] += count * ("image" in kind.split("+"))
        texts = _texts(items)
        counted["tokens"] += sum(text_tokens(text[: remote.longest_text or None]) for text in texts)
        counted["tokens"] += len(texts) * text_tokens(remote.prompts.get(side, ""))
    counted["tokens"] += counted["pictures"] * PICTURE_TOKENS
    return {"reference": remote.reference, "host": remote.host, **counted, "cost": _cost(remote, counted["tokens"])}


def preview_reranking(remote: Remote, queries: Sequence[Item], top: int, document_tokens: int = 200) -> dict[str, Any]:
    """As `preview`, of putting the first `top` documents of each query in order; which those are is not known yet.

    document_tokens: what a document has on average.
    """
    texts = _texts(queries)
    pairs = len(queries) * top
    tokens = pairs * document_tokens + sum(text_tokens(text) for text in texts) * top
    requests = len(queries) * -(-top // batch_size_of(remote, "text"))
    return {
        "reference": remote.reference, "host": remote.host, "requests": requests, "texts": pairs, "pictures": 0,
        "tokens": tokens, "cost": _cost(remote, tokens),
    }  # fmt: skip


def preview_words(found: dict[str, Any]) -> str:
    """A preview in one sentence: who gets what, how much, and what it costs."""
    counts = {kind: found[kind] for kind in ("texts", "pictures") if found[kind]}
    things = [f"{count:,} {kind[:-1] if count == 1 else kind}" for kind, count in counts.items()] or ["nothing"]
    cost = "no price given" if found["cost"] is None else f"{_amount(found['cost'])} by the price given"
    return (
        f"{found['host']} gets at most {' and '.join(things)} ({found['reference']}): about {found['tokens']:,} "
        f"tokens in {found['requests']:,} requests; {cost}."
    )


def _amount(cost: float) -> str:
    return f"about {cost:,.2f}" if cost >= 0.01 else "less than 0.01"


def _cost(remote: Remote, tokens: int) -> float | None:
    return None if remote.price is None else round(tokens * remote.price / 1e6, 6)


def _texts(items: Sequence[Item]) -> list[str]:
    """The texts of items; of a collection's rows without reading their media."""
    if not isinstance(items, LazyItems):
        return [item.text for item in items if item.text]
    import pyarrow as pa

    column = items.table.data.table["text"]
    found: list[str] = []
    for start in range(0, len(items.rows), TEXTS_AT_ONCE):
        rows = pa.array(np.asarray(items.rows[start : start + TEXTS_AT_ONCE]))
        found += [text for text in column.take(rows).to_pylist() if text]
    return found
