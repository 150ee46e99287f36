"""A run of ours ÷ a plain Sentence Transformers script of the same model, data, loss, batch and steps, in time.

    python benchmarks/training_run.py [--steps 40] [--rounds 3] [--quick]

Both train the starter on the same pictures and tunes of the demo, score the held-out queries at the same steps, write
two checkpoints, and keep the best. Measured is the training, imports and loading left out of both, on one thread. Ours
also writes what the page shows and what a script of the run needs; the plain one decodes its files where the batch
needs them, as ours does. At most 1.05 is wanted.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import in_turn, machine, measured, tell

BATCH = 64
EVALUATIONS = 2
RATE = 16_000


def ours(folder: Path, steps: int) -> dict[str, Any]:
    """A run of the workbench, from the first batch to the best checkpoint's weights in place."""
    from workbench.collection.store import open_collection
    from workbench.job_folder import create_job_folder
    from workbench.settings import check_settings
    from workbench.training.kinds import EmbedderRecipe
    from workbench.training.preparing import prepare
    from workbench.training.run import ready, train
    from workbench.training.spec import train_spec
    from workbench.workspace import open_workspace

    workspace = open_workspace(folder)
    overrides = {"max_steps": steps, "epochs": 100, "batch_size": BATCH, "evaluations": EVALUATIONS}
    spec = train_spec(workspace, collection="demo", model="starter", overrides=overrides)
    settings = check_settings(spec["settings"])
    with tempfile.TemporaryDirectory(dir=workspace.runs) as place:
        job = create_job_folder(Path(place) / "run", "train", spec, {})
        recipe = EmbedderRecipe(workspace, open_collection(workspace, "demo"), spec, settings)
        prepare(recipe.model, settings)
        with measured() as figures:
            train(job, ready(job, recipe, settings), settings)
        figures["ndcg"] = max(event["metrics"]["ndcg@10"] for event in job.events("evaluation"))
    return figures


def plain(folder: Path, steps: int) -> dict[str, Any]:
    """What an engineer would write with the library alone."""
    from datasets import load_from_disk
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.evaluation import SequentialEvaluator
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

    from workbench.models.starter import starter_folder

    tables = {side: load_from_disk(str(folder / "collections" / "demo" / side)) for side in ("queries", "corpus")}
    queries = {row["id"]: row["text"] for row in tables["queries"]}
    corpus = {row["id"]: row for row in tables["corpus"]}
    judgements = load_from_disk(str(folder / "collections" / "demo" / "judgements")).to_list()
    pairs = {
        (split, kind): [(row["query"], row["document"]) for row in judgements
                        if row["split"] == split and corpus[row["document"]]["modality"] == kind]
        for split in ("train", "eval") for kind in ("image", "audio")
    }  # fmt: skip
    model = SentenceTransformer(str(starter_folder()), device="cpu")
    inner = MultipleNegativesRankingLoss(
        model, scale=20, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
    )
    evaluators = [evaluator(kind, pairs["eval", kind], queries, corpus) for kind in ("audio", "image")]
    with tempfile.TemporaryDirectory() as output, measured() as figures:
        trainer = SentenceTransformerTrainer(
            model=model,
            args=arguments(output, steps),
            train_dataset={kind: dataset(pairs["train", kind], queries, corpus) for kind in ("image", "audio")},
            loss=MatryoshkaLoss(model, inner, matryoshka_dims=[128, 64, 32, 16]),
            evaluator=SequentialEvaluator(evaluators),
        )
        trainer.train()
    figures["ndcg"] = max(line.get("eval_image_cosine_ndcg@10", 0.0) for line in trainer.state.log_history)
    return figures


def decoded(row: dict[str, Any]) -> Any:
    """A document as the model reads it."""
    import numpy as np
    import soundfile
    from PIL import Image
    from scipy.signal import resample_poly

    if row["modality"] == "image":
        return Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")
    wave, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
    return {"audio": {"array": resample_poly(wave, RATE, rate).astype(np.float32), "sampling_rate": RATE}}


def dataset(pairs: list[tuple[str, str]], queries: dict[str, str], corpus: dict[str, Any]) -> Any:
    """Pairs of ids that are decoded when a batch needs them."""
    from datasets import Dataset

    def read(batch: dict[str, list[str]]) -> dict[str, list[Any]]:
        return {
            "query": [queries[identifier] for identifier in batch["query"]],
            "document": [decoded(corpus[identifier]) for identifier in batch["document"]],
        }

    found = Dataset.from_dict({"query": [query for query, _ in pairs], "document": [document for _, document in pairs]})
    found.set_transform(read)
    return found


def evaluator(kind: str, pairs: list[tuple[str, str]], queries: dict[str, str], corpus: dict[str, Any]) -> Any:
    """The library's own, over the held-out pairs of one modality."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    return InformationRetrievalEvaluator(
        {query: queries[query] for query, _ in pairs},
        {document: decoded(corpus[document]) for _, document in pairs},
        {query: {document} for query, document in pairs},
        name=kind,
        ndcg_at_k=[10],
        write_csv=False,
    )


def arguments(output: str, steps: int) -> Any:
    """The trainer's, with what `ours` sets in the user's terms."""
    from sentence_transformers import SentenceTransformerTrainingArguments

    return SentenceTransformerTrainingArguments(
        output_dir=output,
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        learning_rate=1e-3,
        weight_decay=0.01,
        lr_scheduler_type="cosine",
        warmup_steps=steps // 10,
        eval_strategy="steps",
        eval_steps=steps // EVALUATIONS,
        save_steps=steps // EVALUATIONS,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_image_cosine_ndcg@10",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        router_mapping={"none": "ROUTE"},
    )


def main() -> None:
    """Take the timings in turn and print their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scenes", type=int, default=700)
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--one", choices=("ours", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--workspace", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        tell((ours if chosen.one == "ours" else plain)(chosen.workspace, chosen.steps))
        return
    from workbench.collection.demo import make_demo
    from workbench.workspace import open_workspace

    if chosen.quick:
        chosen.steps, chosen.rounds, chosen.scenes = 2, 1, 100
    with tempfile.TemporaryDirectory() as folder:
        make_demo(open_workspace(folder), scenes=chosen.scenes)
        found = in_turn(__file__, ["ours", "plain"], chosen.rounds, ["--workspace", folder, "--steps", chosen.steps])
    run, script = found["ours"], found["plain"]
    print(
        f"{run['processor'] / script['processor']:.3f} = a run of ours ({run['processor']:.2f} processor s) ÷ a plain "
        f"script ({script['processor']:.2f} processor s); by the clock {run['clock'] / script['clock']:.3f}; starter, "
        f"{chosen.steps} steps of {BATCH} pairs, one thread, least of {chosen.rounds} each in turn; {machine()}; "
        "wanted: at most 1.05"
    )


if __name__ == "__main__":
    main()
