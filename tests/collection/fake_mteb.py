"""A stand-in for the package mteb: the names, attributes and shapes that the workbench uses of its version 2."""

from __future__ import annotations

import sys
import types
from typing import Any

from datasets import Dataset


class AbsTaskRetrieval:
    """A task whose data are there from the start; `load_data` only says that it was called."""

    ignore_identical_ids = False

    def __init__(self, name: str, data: dict[str, dict[str, dict[str, Any]]], languages: Any = None) -> None:
        self.metadata = types.SimpleNamespace(
            name=name, type="Retrieval", dataset={"path": f"mteb/{name}", "revision": "63ac9f0"},
            is_multilingual=isinstance(languages, dict),
            hf_subsets_to_langscripts=languages if isinstance(languages, dict) else {"default": ["eng-Latn"]},
        )  # fmt: skip
        self._data, self.hf_subsets = data, list(data)
        self.eval_splits = list(next(iter(data.values())))
        self.loaded = 0

    def load_data(self, num_proc: int | None = None) -> None:
        self.loaded += 1
        self.dataset = {
            subset: {split: self._data[subset][split] for split in self.eval_splits} for subset in self.hf_subsets
        }

    def convert_v1_dataset_format_to_v2(self, num_proc: int | None) -> None:
        return None


class OtherTask:
    eval_splits, hf_subsets = ("test",), ("default",)
    metadata = types.SimpleNamespace(name="Banking77", type="Classification")


def part(queries: list[dict], corpus: list[dict], relevant: dict[str, dict[str, int]], **more: Any) -> dict[str, Any]:
    """The data of one split, a `RetrievalSplitData`."""
    sides = {"queries": Dataset.from_list(queries), "corpus": Dataset.from_list(corpus)}
    return {**sides, "relevant_docs": relevant, "top_ranked": None, **more}


def install(monkeypatch: Any, tasks: dict[str, Any], benchmarks: dict[str, list[str]] | None = None) -> None:
    """Make `import mteb` give this."""

    def get_task(name: str, eval_splits: list[str] | None = None, hf_subsets: list[str] | None = None) -> Any:
        if name not in tasks:
            near = next((f"Did you mean: '{one}'?" for one in tasks if one.lower() == name.lower()), "None similar.")
            raise KeyError(f"KeyError: '{name}' not found. {near}")
        task = tasks[name]
        task.eval_splits, task.hf_subsets = eval_splits or task.eval_splits, hf_subsets or task.hf_subsets
        return task

    def get_benchmark(name: str) -> Any:
        if name not in (benchmarks or {}):
            raise KeyError(name)
        named = [types.SimpleNamespace(metadata=types.SimpleNamespace(name=one)) for one in (benchmarks or {})[name]]
        return types.SimpleNamespace(tasks=named)

    module, abstasks = types.ModuleType("mteb"), types.ModuleType("mteb.abstasks")
    module.get_task, module.get_benchmark, module.__version__ = get_task, get_benchmark, "2.26.24"  # type: ignore
    abstasks.AbsTaskRetrieval = module.abstasks = AbsTaskRetrieval  # type: ignore
    monkeypatch.setitem(sys.modules, "mteb", module)
    monkeypatch.setitem(sys.modules, "mteb.abstasks", abstasks)
