"""The estimate of a run's memory ÷ the measured peak, for small models and several sizes, on this machine's device.

    python benchmarks/estimated_memory.py [--quick]

Each line is a process of its own: a model made from its configuration takes two optimizer steps on texts of 128 tokens
(the starter on sentences and pictures), and its peak beyond the libraries' own memory is compared with the range that
the form shows at once. The ratio that is printed last is the worst of the middles ÷ peaks, whichever way it is off.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import machine, one, tell

WORDS = 126
# Name: layers, width, then the settings. The starter's model is its own.
CASES: dict[str, tuple[int, int, dict[str, Any]]] = {
    "starter, batch 32": (0, 0, {"batch_size": 32}),
    "BERT 6 x 384, batch 4": (6, 384, {"batch_size": 4}),
    "BERT 6 x 384, batch 16": (6, 384, {"batch_size": 16}),
    "BERT 6 x 384, mini-batch 4 of 16": (6, 384, {"batch_size": 16, "mini_batch_size": 4}),
    "BERT 6 x 384, checkpointed, batch 16": (6, 384, {"batch_size": 16, "gradient_checkpointing": True}),
    "BERT 4 x 768, batch 8": (4, 768, {"batch_size": 8}),
}


def save_bert(folder: Path, layers: int, width: int) -> None:
    """A text embedder with mean pooling whose tokenizer knows a thousand words."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{number}" for number in range(1000))]
    base = folder.with_name(f"{folder.name}-base")
    BertTokenizer(vocab={word: number for number, word in enumerate(vocabulary)}).save_pretrained(base)
    shape = {"hidden_size": width, "intermediate_size": 4 * width, "num_attention_heads": width // 64}
    BertModel(BertConfig(vocab_size=30_000, num_hidden_layers=layers, **shape)).save_pretrained(base)
    transformer = Transformer(str(base), max_seq_length=WORDS + 2)
    model = SentenceTransformer(modules=[transformer, Pooling(width)], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)


def write_texts(folder: Path, pairs: int) -> None:
    """Pairs of texts of as many words as the models read."""
    import numpy as np

    from workbench.collection.store import Item
    from workbench.collection.writing import CollectionWriter

    generator = np.random.default_rng(0)
    with CollectionWriter(folder) as writer:
        for _ in range(pairs):
            both = [" ".join(f"word{n}" for n in generator.integers(0, 1000, WORDS)) for _ in range(2)]
            writer.judge(writer.add("queries", Item(text=both[0])), writer.add("corpus", Item(text=both[1])))
        writer.finish(folder.name, labels={}, source={}, fraction=0.2)


def measure(case: str) -> dict[str, Any]:
    """{"low", "middle", "high", "peak"} in bytes of one case."""
    from benchmarks.mini_batch import make_spec
    from benchmarks.steps import take_steps
    from workbench.training.fit import fit
    from workbench.training.meter import Meter
    from workbench.training.spec import train_spec
    from workbench.workspace import open_workspace

    layers, width, settings = CASES[case]
    with tempfile.TemporaryDirectory() as place:
        workspace = open_workspace(place)
        if layers:
            save_bert(Path(place) / "model", layers, width)
            write_texts(workspace.collection("texts"), 3 * settings["batch_size"])
            # The model reads so many tokens, whatever a text of so many characters might have.
            settings = settings | {"max_text_tokens": WORDS + 2}
            spec = train_spec(workspace, collection="texts", model=f"{place}/model", overrides=settings)
        else:
            spec = make_spec(workspace, 6 * settings["batch_size"], settings["batch_size"])
        told = fit(workspace, spec, measured=False)
        meter = Meter()
        meter.reset()
        take_steps(workspace, spec, 2)
        low, high = told["peak_range"]
        return {"low": low, "middle": told["peak_bytes"], "high": high, "peak": meter.peak()}


def main() -> None:
    """Measure each case and print how far the estimate was off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one case, to see that it runs")
    parser.add_argument("--one", choices=list(CASES), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        tell(measure(chosen.one))
        return
    cases = ["BERT 6 x 384, batch 4"] if chosen.quick else list(CASES)
    ratios = []
    for case in cases:
        told = one(__file__, case, [])
        low, middle, high, peak = (told[name] / 1e6 for name in ("low", "middle", "high", "peak"))
        ratios.append(middle / peak)
        holds = "within" if low <= peak <= high else "outside"
        print(f"  {case}: {middle:,.0f} ({low:,.0f} to {high:,.0f}) MB ÷ {peak:,.0f} MB = {ratios[-1]:.2f}, {holds}")
    worst = max(ratios, key=lambda ratio: max(ratio, 1 / ratio))
    print(f"{worst:.2f} = the middle of the estimate ÷ the measured peak, the worst of {len(cases)}; {machine()}")


if __name__ == "__main__":
    main()
