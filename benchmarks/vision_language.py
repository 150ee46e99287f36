"""A Qwen3-VL-Embedding-2B with random weights, fine-tuned on pictures: ours ÷ the published recipe, on a GPU.

    python benchmarks/vision_language.py [--seconds 540] [--batch 64] [--pixels 600] [--steps 3] [--out FILE.json]
    python benchmarks/vision_language.py --tiny      a tiny model of the same classes, on whatever device there is

One command, one table and one JSON object. It makes the model from its configuration, and pictures with sentences; then

1. *Measure*: the dry run that finds the largest mini-batch that fits, its peak, and what the estimate had said;
2. ours: steps of a run with that mini-batch, batches by ids, loader processes as a run chooses them;
3. the guide's: CachedMultipleNegativesRankingLoss with mini-batch 1, NO_DUPLICATES on decoded pictures, no loader
   process, within MatryoshkaLoss of the same sizes.

Both compute in bf16 with flash attention where flash_attn is installed, else SDPA. The guide loads the weights in bf16
and trains those; ours holds what learns in 32 bits, which takes more memory. The first step of each does not count.
Wanted: at most 0.5 in time. Every part is a process of its own: one that runs out of memory or of time is told as such
and the others go on. Needs requirements.txt and, for Qwen's own processor, torchvision.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import SURROUNDINGS, tell

# Of the time that is left, what each part may take; the guide's, which comes last, may take all of it.
SHARES = {"model": 0.4, "fit": 0.5, "ours": 0.5, "guide": 1.0}
TINY = {"batch": 8, "pixels": 96, "steps": 2}
SPARE_SECONDS = 5.0
RATE = 2e-5


def make(options: argparse.Namespace) -> dict[str, Any]:
    """Write the model, the pictures and the spec of a run."""
    from benchmarks.batching import make_pairs, write_both
    from benchmarks.qwen3_vl import attention, has_torchvision, make_model
    from workbench.models.load import best_device
    from workbench.training.spec import train_spec
    from workbench.workspace import open_workspace, write_json

    folder, side = options.folder, options.pixels
    device = "cuda" if best_device() == "cuda" else "cpu"
    parameters = make_model(folder / "model", tiny=options.tiny, most_pixels=side * side, device=device)
    write_both(folder, make_pairs(options.batch * (options.steps + 1), side))
    chosen = attention(folder / "model")
    spec = train_spec(
        open_workspace(folder),
        collection="photographs",
        model=str(folder / "model"),
        overrides={"batch_size": options.batch, "attention": chosen, "precision": "bf16", "learning_rate": RATE},
        trust_remote_code=not has_torchvision(),
    )
    write_json(folder / "spec.json", spec)
    return {"parameters": parameters, "attention": chosen, "own_processor": not has_torchvision(), **machine()}


def machine() -> dict[str, Any]:
    """What the figures are taken on."""
    import importlib.metadata

    from workbench.training.measurements import device_name

    names = ("torch", "transformers", "sentence-transformers")
    return {"device": device_name(), "cores": os.cpu_count()} | {
        name: importlib.metadata.version(name) for name in names
    }


def fit(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, and what the estimate says of the same mini-batch."""
    from workbench.job_folder import create_job_folder
    from workbench.training.fit import fit as known
    from workbench.training.fit import run_fit
    from workbench.workspace import open_workspace, read_json

    workspace, spec = open_workspace(options.folder), read_json(options.folder / "spec.json")
    job = create_job_folder(workspace.jobs / "fit", "fit", {"run": spec}, {})
    found = run_fit(workspace, job)
    settings = spec["settings"] | {"mini_batch_size": found["mini_batch_size"]}
    estimated = known(workspace, spec | {"settings": settings}, measured=False)
    return found | {"estimated_range": estimated["peak_range"], "estimated_bytes": estimated["peak_bytes"]}


def ours(options: argparse.Namespace) -> dict[str, Any]:
    """Steps of a run, with the mini-batch that was measured, or the one a run takes where none was."""
    from benchmarks.steps import take_steps
    from workbench.settings import check_settings
    from workbench.training.measurements import with_measured_mini_batch
    from workbench.training.meter import Meter
    from workbench.workspace import open_workspace, read_json

    meter = Meter()
    workspace, spec = open_workspace(options.folder), read_json(options.folder / "spec.json")
    size = with_measured_mini_batch(workspace, spec, check_settings(spec["settings"])).mini_batch_size
    meter.reset()
    steps = options.steps + 1
    taken = take_steps(workspace, spec, steps, deadline=time.monotonic() + options.seconds, mini_batch_size=size)
    return taken | {"peak_bytes": meter.peak()}


def guide(options: argparse.Namespace) -> dict[str, Any]:
    """Steps of the published recipe."""
    import torch
    from datasets import load_from_disk
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.base.sampler import BatchSamplers
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss, MatryoshkaLoss

    from benchmarks.steps import step_clock, watched
    from workbench.models.vectors import halvings
    from workbench.training.meter import Meter
    from workbench.workspace import read_json

    meter, spec = Meter(), read_json(options.folder / "spec.json")
    model = SentenceTransformer(
        str(options.folder / "model"),
        device="cuda" if torch.cuda.is_available() else "cpu",
        trust_remote_code=True,
        model_kwargs={"attn_implementation": spec["settings"]["attention"], "dtype": torch.bfloat16},
    )
    inner = CachedMultipleNegativesRankingLoss(model, mini_batch_size=1)
    sizes = halvings(model.get_embedding_dimension())
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(options.folder / "guide-out"),
        max_steps=options.steps + 1,
        per_device_train_batch_size=options.batch,
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        learning_rate=RATE,
        warmup_ratio=0.1,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    clock = step_clock(time.monotonic() + options.seconds)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=load_from_disk(str(options.folder / "guide")),
        loss=MatryoshkaLoss(model, inner, matryoshka_dims=sizes),
        callbacks=[clock],
    )
    losses = watched(trainer)
    meter.reset()
    trainer.train()
    return {"losses": losses, "times": clock.times, "mini_batch_size": 1, "peak_bytes": meter.peak()}


PARTS = {"model": make, "fit": fit, "ours": ours, "guide": guide}


def seconds_per_step(found: dict[str, Any]) -> float | None:
    """The mean of the steps after the first; of the first where there is no other; None where none was finished."""
    times = found.get("times") or []
    if len(times) > 1:
        return float((times[-1] - times[0]) / (len(times) - 1))
    return float(times[0]) if times else None


def run_parts(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What each part told, or why it told nothing: {"model", "fit", "ours", "guide"}."""
    ends = time.monotonic() + options.seconds - SPARE_SECONDS
    found: dict[str, Any] = {}
    for part, share in SHARES.items():
        seconds = max(1.0, (ends - time.monotonic()) * share)
        print(f"{part}: at most {seconds:.0f} s", file=sys.stderr, flush=True)
        began = time.monotonic()
        found[part] = one_part(part, options, folder, seconds) | {"whole_seconds": time.monotonic() - began}
        print(f"{part}: {json.dumps(found[part])}", file=sys.stderr, flush=True)
        if part == "model" and "error" in found[part]:
            break
    return found


def one_part(part: str, options: argparse.Namespace, folder: Path, seconds: float) -> dict[str, Any]:
    """One part in a process of its own. It is asked to end its steps a little before it would be ended."""
    command = [sys.executable, __file__, "--one", part, "--folder", str(folder), "--seconds", str(0.7 * seconds)]
    for name in ("batch", "pixels", "steps"):
        command += [f"--{name}", str(getattr(options, name))]
    command += ["--tiny"] if options.tiny else []
    # So that what is freed can be used for what comes next, whatever its size.
    surroundings = {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=surroundings | os.environ | SURROUNDINGS,
        start_new_session=True,  # so that its loader processes and its dry run end with it
    )
    try:
        told, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        return {"error": f"not done after {seconds:.0f} s"}
    lines = told.splitlines()
    if process.returncode or not lines:
        return {"error": f"ended with {process.returncode}, see above"}
    return dict(json.loads(lines[-1]))


def in_words(error: Exception) -> str:
    """What ended a part, in a line."""
    from workbench.training.out_of_memory import is_out_of_memory

    told = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return f"out of memory ({told})" if is_out_of_memory(error) else told


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """The ratios and errors that the parts give, as far as they were done."""
    here, there, dry = (found.get(part) or {} for part in ("ours", "guide", "fit"))
    ours_seconds, guide_seconds = seconds_per_step(here), seconds_per_step(there)
    told: dict[str, Any] = {"ours_seconds_per_step": ours_seconds, "guide_seconds_per_step": guide_seconds}
    if ours_seconds and guide_seconds:
        told["time_ratio"] = ours_seconds / guide_seconds
    if here.get("peak_bytes") and there.get("peak_bytes"):
        told["memory_ratio"] = here["peak_bytes"] / there["peak_bytes"]
    if dry.get("estimated_range") and dry.get("peak_bytes"):
        low, high = dry["estimated_range"]
        told["estimate_error"] = dry["estimated_bytes"] / dry["peak_bytes"] - 1
        told["estimate_holds"] = low <= dry["peak_bytes"] <= high
    return told


def table(found: dict[str, Any], told: dict[str, Any]) -> str:
    """The figures for people."""
    rows = [("", "mini-batch", "seconds a step", "peak memory")]
    for part, name in (("fit", "Measure"), ("ours", "ours"), ("guide", "the guide's recipe")):
        one = found.get(part) or {"error": "not begun"}
        if "error" in one:
            rows.append((name, one["error"], "", ""))
            continue
        seconds = one.get("seconds_per_step") or seconds_per_step(one)
        shown = f"{seconds:.3f}" if seconds else "no step was finished"
        rows.append((name, str(one["mini_batch_size"]), shown, f"{one['peak_bytes'] / 1e9:.2f} GB"))
    lines = ["  ".join(cell.ljust(20) for cell in row).rstrip() for row in rows]
    if "estimate_error" in told:
        low, high = (value / 1e9 for value in found["fit"]["estimated_range"])
        verdict = "holds it" if told["estimate_holds"] else "does not hold it"
        lines.append(
            f"estimate {low:.2f} to {high:.2f} GB {verdict}; its middle is off by {told['estimate_error']:+.0%}"
        )
    if "memory_ratio" in told:
        lines.append(f"{told['memory_ratio']:.3f} = peak memory of ours ÷ of the guide's recipe")
    if "time_ratio" in told:
        lines.append(f"{told['time_ratio']:.3f} = a step of ours ÷ of the guide's recipe; wanted: at most 0.5")
    return "\n".join(lines)


def main() -> None:
    """Run the parts one after another and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=540, help="for everything together")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--pixels", type=int, default=600)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a tiny model and small pictures, to see that it runs")
    parser.add_argument("--out", type=Path, help="also write the JSON here")
    parser.add_argument("--one", choices=list(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        try:
            tell(PARTS[options.one](options))
        except Exception as error:
            tell({"error": in_words(error)})
            raise
        return
    if options.tiny:
        vars(options).update(TINY)
    with tempfile.TemporaryDirectory() as folder:
        found = run_parts(options, Path(folder))
    told = summary(found)
    print(table(found, told))
    shape = {name: getattr(options, name) for name in ("batch", "pixels", "steps", "tiny")}
    result = json.dumps(told | {"asked": shape, "parts": found})
    if options.out:
        options.out.write_text(result + "\n", encoding="utf-8")
    print(result)


if __name__ == "__main__":
    main()
