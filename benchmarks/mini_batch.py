"""The mini-batch that Measure chooses ÷ a mini-batch of 1, in time, with the same losses.

    python benchmarks/mini_batch.py [--steps 6] [--rounds 3] [--batch 64] [--quick]

The starter learns from sentences and pictures, contrastively at four sizes of its vectors. First a dry run measures
which mini-batch fits; then the same steps are taken with it and with a mini-batch of 1, as the published guide has it.
No ratio is printed unless the loss of the first step, of the same weights, is the same to 1e-5. From then on the
optimizer divides each gradient by its own size, so what rounding made of the smallest ones grows from step to step:
those losses may differ by 1e-3. One thread.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import in_turn, machine, one, tell

SAME, NEARLY = 1e-5, 1e-3


def make_spec(workspace: Any, scenes: int, batch: int) -> dict[str, Any]:
    """Drawn scenes and their sentences as a collection, and the spec of a run on it."""
    from workbench.collection.scenes import render, sample_scenes
    from workbench.collection.store import Item
    from workbench.collection.writing import CollectionWriter
    from workbench.training.spec import train_spec
    from workbench.workspace import new_folder

    with new_folder(workspace.collection("scenes")) as folder, CollectionWriter(folder) as writer:
        for sentence, picture, _ in render(sample_scenes(scenes, seed=0), seed=0):
            writer.judge(writer.add("queries", Item(text=sentence)), writer.add("corpus", Item(image=picture)))
        writer.finish("scenes", labels={"query": "sentence", "document": "picture"}, source={}, fraction=0.2)
    return train_spec(workspace, collection="scenes", model="starter", overrides={"batch_size": batch})


def fit(folder: Path) -> dict[str, Any]:
    """What a dry run tells; runs of this configuration take the mini-batch it found from then on."""
    from workbench.job_folder import create_job_folder
    from workbench.training.fit import run_fit
    from workbench.workspace import open_workspace, read_json

    workspace = open_workspace(folder)
    job = create_job_folder(workspace.jobs / "fit", "fit", {"run": read_json(folder / "spec.json")}, {})
    return run_fit(workspace, job)


def steps_of(way: str, folder: Path, steps: int) -> dict[str, Any]:
    """The figures of one way: `measured` or `one`."""
    from benchmarks.steps import take_steps
    from workbench.settings import check_settings
    from workbench.training.measurements import with_measured_mini_batch
    from workbench.workspace import open_workspace, read_json

    workspace, spec = open_workspace(folder), read_json(folder / "spec.json")
    size = with_measured_mini_batch(workspace, spec, check_settings(spec["settings"])).mini_batch_size
    return take_steps(workspace, spec, steps, mini_batch_size=size if way == "measured" else 1)


def main() -> None:
    """Take the timings in turn and print their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--quick", action="store_true", help="two steps and no dry run, to see that it works")
    parser.add_argument("--one", choices=("fit", "measured", "one"), help=argparse.SUPPRESS)
    parser.add_argument("--workspace", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        tell(fit(chosen.workspace) if chosen.one == "fit" else steps_of(chosen.one, chosen.workspace, chosen.steps))
        return
    from workbench.workspace import open_workspace, write_json

    if chosen.quick:
        chosen.steps, chosen.rounds, chosen.batch = 2, 1, 8
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(folder)
        write_json(Path(folder) / "spec.json", make_spec(workspace, chosen.batch * 6, chosen.batch))
        if not chosen.quick:
            one(__file__, "fit", ["--workspace", folder])
        given = ["--workspace", folder, "--steps", chosen.steps]
        found = in_turn(__file__, ["measured", "one"], chosen.rounds, given)
    large, small = found["measured"], found["one"]
    first, *later = (abs(a - b) for a, b in zip(large["losses"], small["losses"], strict=True))
    apart = max(first, *later)
    if first > SAME or apart > NEARLY:
        sys.exit(f"The losses differ by {first:.2g} and later {apart:.2g}, so the ratio would mean nothing.")
    print(
        f"{large['processor'] / small['processor']:.3f} = a mini-batch of {large['mini_batch_size']}, as chosen "
        f"({large['processor']:.2f} processor s) ÷ a mini-batch of 1 ({small['processor']:.2f} processor s); by the "
        f"clock {large['clock'] / small['clock']:.3f}; starter, {chosen.steps} steps of {chosen.batch} sentences and "
        f"pictures, one thread, least of {chosen.rounds} each in turn; the first losses differ by {first:.1g}, "
        f"the others by at most {apart:.1g}; {machine()}"
    )


if __name__ == "__main__":
    main()
