"""A run of ours ÷ a plain Sentence Transformers script of the same model, data, loss, batch and steps, in time.

    python benchmarks/training_run.py [--steps 40] [--rounds 3]

Both train the starter on the same pictures and tunes of the demo, evaluate twice, write two checkpoints, and keep the
best. The two take turns in processes of their own; the ratio is that of the median times of the training itself,
imports and loading left out of both. At most 1.05 is wanted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SCENES = 700
BATCH = 64
EVALUATIONS = 2


def ours(workspace_folder: Path, steps: int) -> float:
    """Seconds of a run of the workbench, from the first batch to the best checkpoint in place."""
    from workbench.collection.store import open_collection
    from workbench.job_folder import create_job_folder
    from workbench.settings import check_settings
    from workbench.training.kinds import EmbedderRecipe
    from workbench.training.run import train, train_spec
    from workbench.workspace import open_workspace

    workspace = open_workspace(workspace_folder)
    overrides = {"max_steps": steps, "epochs": 100, "batch_size": BATCH, "evaluations": EVALUATIONS}
    spec = train_spec(workspace, collection="demo", model="starter", overrides=overrides)
    job = create_job_folder(workspace.run(f"run-{time.time_ns()}"), "train", spec, {})
    settings = check_settings(spec["settings"])
    recipe = EmbedderRecipe(workspace, open_collection(workspace, "demo"), spec, settings)
    started = time.perf_counter()
    train(job, recipe, settings)
    return time.perf_counter() - started


def plain(workspace_folder: Path, steps: int) -> float:
    """Seconds of what an engineer would write with the library alone."""
    import io

    import numpy as np
    import soundfile
    from datasets import Dataset, load_from_disk
    from PIL import Image
    from scipy.signal import resample_poly
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

    from workbench.models.starter import starter_folder

    folder = workspace_folder / "collections" / "demo"
    queries = {row["id"]: row["text"] for row in load_from_disk(str(folder / "queries"))}
    corpus = {row["id"]: row for row in load_from_disk(str(folder / "corpus"))}
    judgements = load_from_disk(str(folder / "judgements")).to_list()

    def picture(identifier: str):  # type: ignore[no-untyped-def]
        return Image.open(io.BytesIO(corpus[identifier]["image"]["bytes"])).convert("RGB")

    def tune(identifier: str):  # type: ignore[no-untyped-def]
        wave, rate = soundfile.read(io.BytesIO(corpus[identifier]["audio"]["bytes"]), dtype="float32")
        return {"audio": {"array": resample_poly(wave, 16000, rate).astype(np.float32), "sampling_rate": 16000}}

    def dataset(modality: str, decode):  # type: ignore[no-untyped-def]
        rows = [
            (row["query"], row["document"])
            for row in judgements
            if row["split"] == "train" and corpus[row["document"]]["modality"] == modality
        ]
        found = Dataset.from_dict({"query": [q for q, _ in rows], "document": [d for _, d in rows]})
        found.set_transform(
            lambda batch: {
                "query": [queries[identifier] for identifier in batch["query"]],
                "document": [decode(identifier) for identifier in batch["document"]],
            }
        )
        return found

    model = SentenceTransformer(str(starter_folder()), device="cpu")
    held_out = [row for row in judgements if row["split"] == "eval" and corpus[row["document"]]["modality"] == "image"]
    evaluator = InformationRetrievalEvaluator(
        {row["query"]: queries[row["query"]] for row in held_out},
        {row["document"]: picture(row["document"]) for row in held_out},
        {row["query"]: {row["document"]} for row in held_out},
        name="held",
        ndcg_at_k=[10],
        write_csv=False,
    )
    loss = MatryoshkaLoss(
        model,
        MultipleNegativesRankingLoss(
            model, scale=20, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
        ),
        matryoshka_dims=[128, 64, 32, 16],
    )
    with tempfile.TemporaryDirectory() as output:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=output,
            max_steps=steps,
            per_device_train_batch_size=BATCH,
            learning_rate=1e-3,
            lr_scheduler_type="cosine",
            warmup_steps=steps // 10,
            eval_strategy="steps",
            eval_steps=steps // EVALUATIONS,
            save_steps=steps // EVALUATIONS,
            save_total_limit=2,
            load_best_model_at_end=True,
            metric_for_best_model="eval_held_cosine_ndcg@10",
            report_to="none",
            disable_tqdm=True,
            router_mapping={"none": "ROUTE"},
        )
        started = time.perf_counter()
        SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset={"image": dataset("image", picture), "audio": dataset("audio", tune)},
            loss=loss,
            evaluator=evaluator,
        ).train()
        return time.perf_counter() - started


def measure(which: str, workspace_folder: Path, steps: int) -> float:
    """One timing in a process of its own."""
    command = [sys.executable, __file__, "--one", which, "--workspace", str(workspace_folder), "--steps", str(steps)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def main() -> None:
    """Take the timings in turn and print their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=("ours", "plain"))
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    if options.one:
        seconds = (ours if options.one == "ours" else plain)(options.workspace, options.steps)
        print(json.dumps({"seconds": seconds}))
        return
    from workbench.collection.demo import make_demo
    from workbench.workspace import open_workspace

    with tempfile.TemporaryDirectory() as folder:
        make_demo(open_workspace(folder), scenes=SCENES)
        times: dict[str, list[float]] = {"ours": [], "plain": []}
        for _ in range(options.rounds):
            for which in times:
                times[which].append(measure(which, Path(folder), options.steps))
                print(f"{which}: {times[which][-1]:.1f} s", file=sys.stderr)
    ratio = statistics.median(times["ours"]) / statistics.median(times["plain"])
    print(
        f"ratio {ratio:.3f}  (run of ours / plain Sentence Transformers script, {options.steps} steps of "
        f"{BATCH} pairs, medians of {options.rounds} turns each; wanted: at most 1.05)"
    )


if __name__ == "__main__":
    main()
