"""The presets against a careful script: what a competent engineer writes by hand with Sentence Transformers alone.

    python benchmarks/hand_written.py DATA [--name emoji] [--presets balanced,best] [--steps 400]
                                      [--learning-rates 5e-4,1e-3,2e-3] [--workspace DIR] [--json]

The script (`train_by_hand`) fine-tunes the same starter on the same train part: in-batch contrastive learning in both
directions within a Matryoshka loss, batches without duplicates, AdamW with warm-up and cosine decay. The learning rate
is found by a small search, scored on a fifth of the training queries; then it trains on all of them, looks at the
held-out score ten times in both directions, and keeps the best. Its model and those of the presets are scored alike on
all held-out queries; a difference has a paired 95 % bootstrap interval and the p of a paired permutation test. Wanted:
no direction in which a preset is worse. With --workspace, what is finished there already is not done again.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from presets import bring, compared, run_of, scores_of, show, workspace_of

STARTER = Path(__file__).resolve().parents[1] / "assets" / "starter"
BATCH = 128


def read_collection(folder: Path) -> tuple[dict[str, Any], dict[str, list[tuple[str, str]]]]:
    """The items by id, decoded, and the (text, document) pairs of each split."""
    import soundfile
    from datasets import load_from_disk
    from PIL import Image
    from scipy.signal import resample_poly

    def picture(data: bytes) -> Any:
        layer = Image.open(io.BytesIO(data)).convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")

    def sound(data: bytes) -> Any:
        wave, rate = soundfile.read(io.BytesIO(data), dtype="float32")
        return {"audio": {"array": resample_poly(wave, 16_000, rate).astype(np.float32), "sampling_rate": 16_000}}

    items: dict[str, Any] = {row["id"]: row["text"] for row in load_from_disk(str(folder / "queries"))}
    for row in load_from_disk(str(folder / "corpus")):
        items[row["id"]] = picture(row["image"]["bytes"]) if row["image"] else sound(row["audio"]["bytes"])
    pairs: dict[str, list[tuple[str, str]]] = {"train": [], "eval": []}
    for row in load_from_disk(str(folder / "judgements")):
        pairs[row["split"]].append((row["query"], row["document"]))
    return items, pairs


def evaluator_of(items: dict[str, Any], pairs: list[tuple[str, str]]) -> Any:
    """NDCG@10 from text to media and back, as the library scores it; their mean is what counts."""
    from sentence_transformers.base.evaluation import SequentialEvaluator
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    found = []
    for name, rows in (("there", pairs), ("back", [(document, query) for query, document in pairs])):
        relevant = defaultdict(set)
        for asked, answer in rows:
            relevant[asked].add(answer)
        found.append(
            InformationRetrievalEvaluator(
                {asked: items[asked] for asked in relevant},
                {answer: items[answer] for _, answer in rows},
                dict(relevant),
                ndcg_at_k=[10],
                name=name,
                write_csv=False,
            )
        )
    return SequentialEvaluator(found, main_score_function=lambda scores: sum(scores) / len(scores))


def fit(
    items: dict[str, Any],
    train: list[tuple[str, str]],
    held: list[tuple[str, str]],
    folder: Path,
    *,
    steps: int,
    learning_rate: float,
    looks: int,
) -> tuple[Any, float]:
    """Fine-tune the starter; returns the model of the best look at the held-out pairs, and its score."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

    class ByIds(SentenceTransformerTrainer):
        def get_batch_sampler(self, dataset: Any, *given: Any, **named: Any) -> Any:
            """Batches without duplicates, told by ids: comparing decoded media would be slow."""
            return NoDuplicatesBatchSampler(dataset.with_format(None), *given, **named)

    model = SentenceTransformer(str(STARTER), device="cpu")
    data = Dataset.from_dict({"query": [query for query, _ in train], "document": [document for _, document in train]})
    decoded = data.with_transform(lambda rows: {name: [items[one] for one in rows[name]] for name in rows})
    inner = MultipleNegativesRankingLoss(
        model, scale=20, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
    )
    rhythm = max(1, steps // looks)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        # No batch can hold more pairs than there are different texts.
        per_device_train_batch_size=min(BATCH, len({query for query, _ in train})),
        learning_rate=learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=steps // 10,
        weight_decay=0.01,
        eval_strategy="steps",
        eval_steps=rhythm,
        save_steps=rhythm,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="eval_sequential_score",
        router_mapping={"none": "ROUTE"},
        report_to="none",
        disable_tqdm=True,
        seed=0,
    )
    trainer = ByIds(
        model=model,
        args=arguments,
        train_dataset=decoded,
        loss=MatryoshkaLoss(model, inner, matryoshka_dims=[128, 64, 32, 16]),
        evaluator=evaluator_of(items, held),
    )
    trainer.train()
    return model, float(trainer.state.best_metric or 0.0)


def train_by_hand(collection: Path, folder: Path, rates: list[float], steps: int, search_steps: int) -> None:
    """Search the learning rate if there are several, train, and leave the model in `folder`/model."""
    started = time.time()
    items, pairs = read_collection(collection)
    texts = np.random.default_rng(0).permutation(sorted({query for query, _ in pairs["train"]}))
    aside = set(texts[: len(texts) // 5].tolist())
    media = {document for query, document in pairs["train"] if query in aside}
    searched = {}
    for rate in rates if len(rates) > 1 else []:
        _, searched[rate] = fit(
            items,
            [(query, document) for query, document in pairs["train"] if query not in aside and document not in media],
            [(query, document) for query, document in pairs["train"] if query in aside],
            folder / "search",
            steps=search_steps,
            learning_rate=rate,
            looks=2,
        )
        print(f"learning rate {rate:g}: {searched[rate]:.3f} after {search_steps} steps", file=sys.stderr, flush=True)
    best = max(searched, key=lambda rate: searched[rate], default=rates[0])
    model, _ = fit(
        items, pairs["train"], pairs["eval"], folder / "checkpoints", steps=steps, learning_rate=best, looks=10
    )
    model.save_pretrained(str(folder / "model"), create_model_card=False)
    print(f"by hand: {steps} steps at {best:g}, {time.time() - started:.0f} s", file=sys.stderr, flush=True)


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--name", default="")
    parser.add_argument("--presets", default="balanced,best")
    parser.add_argument("--learning-rates", default="5e-4,1e-3,2e-3")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--search-steps", type=int, default=100)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    name = options.name or Path(options.data).name
    with workspace_of(options.workspace) as workspace:
        bring(workspace, options.data, name, 0)
        folder = workspace.root / "by-hand" / name
        if not (folder / "model").exists():
            rates = [float(rate) for rate in options.learning_rates.split(",")]
            train_by_hand(workspace.collection(name), folder, rates, options.steps, options.search_steps)
        scores = {"by hand": scores_of(workspace, name, str(folder / "model"))}
        rows = []
        for preset in filter(None, options.presets.split(",")):
            scores[preset] = scores_of(workspace, name, f"run:{run_of(workspace, name, preset, 0, {})}")
            rows += compared("by hand", preset, scores)
    if options.json:
        print(json.dumps({"data": name, "rows": rows}))
    else:
        show(rows)


if __name__ == "__main__":
    main()
