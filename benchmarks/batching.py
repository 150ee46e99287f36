"""The batches of one epoch, made ready for the model: ours ÷ the published guide's, in time and in memory.

    python benchmarks/batching.py [--pictures 1000] [--pixels 600] [--batch 64] [--workers 2] [--rounds 2] [--quick]

Sentences and JPEG pictures, an eighth of the sentences twice. The guide's way is NO_DUPLICATES on a data set of decoded
pictures, with no loader process: it opens each picture once to compare it and once more to use it. Ours tells conflicts
by ids and opens a picture in a loader process when its batch is due. Both end with the tensors that the starter reads,
and nothing learns from them. In memory count the process and its loader processes, beyond what was held before the
first batch. `--sampler` times the choice of batches alone, of text pairs by the hundred thousand, where no media need
to be opened: what is left is our own arithmetic.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import MIB, in_turn, machine, measured, one, tell

Pairs = list[tuple[str, bytes]]


def make_pairs(count: int, pixels: int) -> Pairs:
    """Sentences and pictures that compress as photographs do; an eighth of the sentences stand beside two pictures."""
    from PIL import Image

    generator = np.random.default_rng(0)
    pairs = []
    for number in range(count):
        coarse = Image.fromarray(generator.integers(0, 255, (pixels // 12, pixels // 12, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((pixels, pixels), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        pairs.append((f"photograph number {number % max(1, count * 7 // 8)}", file.getvalue()))
    return pairs


def write_both(folder: Path, pairs: Pairs) -> None:
    """The same pairs as a collection and as a data set of the library, both read from disk."""
    from datasets import Dataset, Features, Image, Value

    from workbench.collection.store import Item
    from workbench.collection.writing import CollectionWriter
    from workbench.workspace import new_folder, open_workspace

    place = open_workspace(folder).collection("photographs")
    with new_folder(place) as part, CollectionWriter(part) as writer:
        for sentence, picture in pairs:
            writer.judge(writer.add("queries", Item(text=sentence)), writer.add("corpus", Item(image=picture)))
        # Two pairs to hold out, without which nothing trains.
        for number in range(2):
            held = writer.add("queries", Item(text=f"held out {number}")), writer.add("corpus", Item(text=f"d{number}"))
            writer.judge(*held, 1.0, "eval")
        writer.finish("photographs", labels={"query": "q", "document": "d"}, source={}, fraction=0.0)
    columns = {"query": [sentence for sentence, _ in pairs], "document": [{"bytes": data} for _, data in pairs]}
    features = Features({"query": Value("string"), "document": Image()})
    Dataset.from_dict(columns, features=features).save_to_disk(str(folder / "guide"))


def ours(folder: Path, batch: int, workers: int) -> Any:
    """The trainer of a run."""
    from workbench.collection.store import open_collection
    from workbench.job_folder import JobFolder
    from workbench.settings import check_settings
    from workbench.training.assembling import make_trainer
    from workbench.training.kinds import EmbedderRecipe
    from workbench.training.spec import train_spec
    from workbench.workspace import open_workspace

    workspace = open_workspace(folder)
    overrides = {"batch_size": batch, "loader_workers": workers}
    spec = train_spec(workspace, collection="photographs", model="starter", overrides=overrides)
    settings = check_settings(spec["settings"])
    recipe = EmbedderRecipe(workspace, open_collection(workspace, "photographs"), spec, settings)
    job = JobFolder(folder / "ours")
    return make_trainer(job, spec, recipe, settings, recipe.datasets(), 100, evaluator=[])


def guide(folder: Path, batch: int) -> Any:
    """The trainer that the guide's script makes."""
    from datasets import load_from_disk
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.base.sampler import BatchSamplers
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss

    from workbench.models.starter import starter_folder

    model = SentenceTransformer(str(starter_folder()), device="cpu")
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder / "guide-out"),
        per_device_train_batch_size=batch,
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        report_to="none",
        use_cpu=True,
        router_mapping={"none": "ROUTE"},
    )
    return SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=load_from_disk(str(folder / "guide")),
        loss=CachedMultipleNegativesRankingLoss(model, mini_batch_size=1),
    )


def an_epoch(trainer: Any, memory: bool) -> dict[str, Any]:
    """The figures of one pass over the batches; the memory alone where it is looked at, as looking takes time."""
    import torch

    torch.set_num_threads(1)
    loader = trainer.get_train_dataloader()
    rows = 0
    with measured(memory=memory) as figures:
        for batch in loader:
            rows += next(len(value) for value in batch.values() if torch.is_tensor(value) and value.ndim)
    return figures | {"rows": rows}


def time_sampler(count: int) -> None:
    """Seconds to choose the batches of an epoch, of pairs without conflicts and of pairs that share their queries."""
    from workbench.training.batches import ConflictFreeBatches
    from workbench.training.pairs import Pairs as Rows

    rows = np.arange(count)
    for words, queries in (
        ("no two alike", rows),
        ("each query with 12 documents", rows // 12),
        ("50 queries in all", rows % 50),
    ):
        with measured() as figures:
            batches = list(ConflictFreeBatches(Rows("text->text", queries, rows), 64, seed=0))
        print(f"{figures['processor']:.2f} processor s for {len(batches):,} batches of {count:,} pairs, {words}")


def main() -> None:
    """Take the timings in turn and print their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--pixels", type=int, default=600)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sampler", type=int, metavar="PAIRS", help="time the choice of batches alone")
    parser.add_argument("--quick", action="store_true", help="a few small pictures, to see that it runs")
    parser.add_argument("--one", choices=("ours", "guide"), help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.sampler:
        time_sampler(chosen.sampler)
        return
    if chosen.one:
        made = ours(chosen.folder, chosen.batch, chosen.workers) if chosen.one == "ours" else None
        tell(an_epoch(made or guide(chosen.folder, chosen.batch), chosen.memory))
        return
    if chosen.quick:
        chosen.pictures, chosen.pixels, chosen.batch, chosen.workers, chosen.rounds = 24, 48, 8, 1, 1
    compare(chosen)


def compare(chosen: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_both(Path(folder), make_pairs(chosen.pictures, chosen.pixels))
        given = ["--folder", folder, "--batch", chosen.batch, "--workers", chosen.workers]
        found = in_turn(__file__, ["ours", "guide"], chosen.rounds, given)
        for way, told in found.items():
            told["peak_bytes"] = one(__file__, way, [*given, "--memory"])["peak_bytes"]
    here, there = found["ours"], found["guide"]
    # Either way may leave out a last pair that nothing can stand beside.
    if min(here["rows"], there["rows"]) < chosen.pictures - chosen.batch:
        sys.exit(
            f"{here['rows']} and {there['rows']} of {chosen.pictures} pairs came, so the ratio would mean nothing."
        )
    print(
        f"{here['processor'] / there['processor']:.3f} = an epoch's batches of ours ({here['processor']:.2f} processor "
        f"s) ÷ the guide's ({there['processor']:.2f} processor s); by the clock {here['clock'] / there['clock']:.3f} "
        f"({here['clock']:.1f} ÷ {there['clock']:.1f} s) with {chosen.workers} loader processes; memory "
        f"{here['peak_bytes'] / there['peak_bytes']:.2f} ({here['peak_bytes'] / MIB:.0f} ÷ "
        f"{there['peak_bytes'] / MIB:.0f} MiB); {chosen.pictures:,} pictures of {chosen.pixels} × {chosen.pixels}, "
        f"batches of {chosen.batch}, least of {chosen.rounds} each in turn; {machine()}"
    )


if __name__ == "__main__":
    main()
