"""How the starter got its first lessons:  python -m workbench.models.primer assets/starter

The starter is shipped with a few lessons behind it, so that a first fine-tuning takes minutes. They are drawn and
sounded on the fly: one to three plain figures with a phrase that says where, how large and of which colour they are,
and tunes of notes with their pitches written as numbers. None of the demo's scenes, sentences or tunes is among them:
the demo speaks of two figures and their relation, and codes a scene in its tune, neither of which occurs here.

Takes about half an hour on two processor cores; the same seed gives the same lessons.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

FIGURES = (
    "circle", "square", "triangle", "star", "heart", "ring", "cross", "diamond", "moon", "arrow", "oval", "line",
)  # fmt: skip
COLOURS = {
    "red": (210, 50, 45), "orange": (235, 140, 40), "yellow": (240, 205, 60), "green": (60, 145, 75),
    "mint": (150, 220, 190), "sky": (140, 200, 240), "blue": (45, 100, 180), "purple": (130, 75, 160),
    "pink": (235, 140, 170), "brown": (130, 88, 56), "black": (40, 40, 40), "grey": (150, 148, 144),
    "white": (250, 250, 247),
}  # fmt: skip
SIZES = {"tiny": 0.07, "small": 0.12, "medium": 0.18, "large": 0.26, "huge": 0.36}
PLACES = {
    "top left": (0.26, 0.26), "top": (0.5, 0.26), "top right": (0.74, 0.26), "left": (0.26, 0.5),
    "middle": (0.5, 0.5), "right": (0.74, 0.5), "bottom left": (0.26, 0.74), "bottom": (0.5, 0.74),
    "bottom right": (0.74, 0.74),
}  # fmt: skip
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
PITCHES = tuple(180.0 * 2 ** (step / 12) for step in (0, 3, 5, 8, 10, 13, 15, 18, 20, 23))
PIXELS = 64
SAMPLING_RATE = 16000


def picture_lesson(generator: np.random.Generator) -> tuple[str, Any]:
    """A phrase and its picture (PIL, 64×64): one to three figures, each said with its colour, size and place."""
    from PIL import Image, ImageDraw

    scale = 3
    names = list(COLOURS)
    ground = names[generator.integers(len(names))]
    picture = Image.new("RGB", (PIXELS * scale, PIXELS * scale), _tint(COLOURS[ground], generator, 10))
    pen = ImageDraw.Draw(picture)
    places = generator.permutation(list(PLACES))[: 1 + generator.choice(3, p=[0.35, 0.45, 0.2])]
    phrases = []
    for place in places:
        colour = _other(names, ground, generator)
        figure = FIGURES[generator.integers(len(FIGURES))]
        size = list(SIZES)[generator.integers(len(SIZES) if len(places) == 1 else 4)]
        x, y = np.array(PLACES[str(place)]) + generator.uniform(-0.06, 0.06, 2)
        radius = SIZES[size] * generator.uniform(0.88, 1.12) * PIXELS * scale
        tint = _tint(COLOURS[colour], generator, 18)
        draw_figure(pen, figure, x * PIXELS * scale, y * PIXELS * scale, radius, tint, generator)
        words = [size, colour, figure] if generator.random() < 0.8 else [colour, figure]
        phrases.append(" ".join([*words, *(["at the", str(place)] if generator.random() < 0.8 else [])]))
    phrase = generator.choice([" and ", ", ", " with "]).join(phrases)
    if generator.random() < 0.8:
        phrase += f" on {ground}"
    return phrase, picture.resize((PIXELS, PIXELS), Image.Resampling.BOX)


def draw_figure(pen: Any, figure: str, x: float, y: float, radius: float, colour: Any, generator: Any) -> None:
    """Draw one figure, turned a little, around (x, y)."""
    if figure in ("circle", "ring", "oval"):
        tall = 0.55 if figure == "oval" else 1.0
        box = (x - radius, y - radius * tall, x + radius, y + radius * tall)
        if figure == "ring":
            pen.ellipse(box, outline=colour, width=max(2, int(radius * 0.4)))
        else:
            pen.ellipse(box, fill=colour)
        return
    angle = generator.uniform(-0.15, 0.15)
    points = [
        (
            x + radius * (px * math.cos(angle) - py * math.sin(angle)),
            y + radius * (px * math.sin(angle) + py * math.cos(angle)),
        )
        for px, py in outline(figure)
    ]
    pen.polygon(points, fill=colour)


def outline(figure: str) -> list[tuple[float, float]]:
    """The corners of a figure inside the unit circle, y downward."""
    if figure == "star":
        turns = [math.pi * (corner / 5 - 0.5) for corner in range(10)]
        return [((1, 0.42)[i % 2] * math.cos(t), (1, 0.42)[i % 2] * math.sin(t)) for i, t in enumerate(turns)]
    if figure == "heart":
        steps = [2 * math.pi * step / 36 for step in range(36)]
        heights = [13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t) for t in steps]
        return [(math.sin(t) ** 3, -height / 16) for t, height in zip(steps, heights, strict=True)]
    if figure == "moon":
        outer = [(math.cos(t), math.sin(t)) for t in np.linspace(0.9, 2 * math.pi - 0.9, 24)]
        inner = [(0.45 + 0.72 * math.cos(t), 0.78 * math.sin(t)) for t in np.linspace(2 * math.pi - 1.4, 1.4, 24)]
        return outer + inner
    a = 0.3
    corners: dict[str, list[tuple[float, float]]] = {
        "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
        "triangle": [(0, -1), (0.95, 0.75), (-0.95, 0.75)],
        "diamond": [(0, -1), (0.7, 0), (0, 1), (-0.7, 0)],
        "line": [(-1, -0.16), (1, -0.16), (1, 0.16), (-1, 0.16)],
        "arrow": [(-1, -0.2), (0.2, -0.2), (0.2, -0.6), (1, 0), (0.2, 0.6), (0.2, 0.2), (-1, 0.2)],
        "cross": [
            (-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a),
        ],
    }  # fmt: skip
    return corners[figure]


def sound_lesson(generator: np.random.Generator) -> tuple[str, dict[str, Any]]:
    """A phrase and its tune: two to eight notes, each pitch said as a number from one to ten."""
    count = int(generator.integers(2, 9))
    pitches = generator.integers(len(PITCHES), size=count)
    seconds = generator.uniform(0.12, 0.3)
    time_axis = np.arange(int(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    envelope = np.minimum(time_axis / 0.01, 1) * np.exp(-time_axis * generator.uniform(2, 10))
    tuning = 2 ** (generator.uniform(-0.2, 0.2) / 12)
    decay = generator.uniform(0.8, 2.5)
    waves = []
    for pitch in pitches:
        frequency = PITCHES[pitch] * tuning
        waves.append(envelope * sum(np.sin(2 * np.pi * frequency * k * time_axis) / k**decay for k in (1, 2, 3, 4)))
    wave = np.concatenate(waves)
    wave = generator.uniform(0.2, 0.8) * wave / np.abs(wave).max() + generator.normal(0, 0.002, wave.shape)
    phrase = generator.choice(["tune", "notes", "melody"]) + " " + " ".join(NUMBERS[pitch] for pitch in pitches)
    return phrase, {"audio": {"array": wave.astype(np.float32), "sampling_rate": SAMPLING_RATE}}


def teach(model: Any, steps: int, *, batch: int, learning_rate: float, seed: int, save: Any) -> None:
    """In-batch contrastive lessons in both directions, at every Matryoshka dimension; one of three is of sound."""
    import torch
    from torch.nn import functional

    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps + 1, pct_start=0.08)
    started, running = time.time(), {"picture": 5.0, "sound": 5.0}
    model.train()
    for step in range(steps):
        generator = np.random.default_rng([seed, step])
        kind = "sound" if step % 3 == 2 else "picture"
        lesson = sound_lesson if kind == "sound" else picture_lesson
        phrases, media = zip(*(lesson(generator) for _ in range(batch)), strict=True)
        texts = model(model.preprocess([{"text": str(phrase)} for phrase in phrases]))["sentence_embedding"]
        others = model(model.preprocess(list(media)))["sentence_embedding"]
        loss = torch.zeros(())
        target = torch.arange(batch)
        for dimension in (128, 64, 32, 16):
            scores = (
                functional.normalize(texts[:, :dimension], dim=1) @ functional.normalize(others[:, :dimension], dim=1).T
            )
            loss = (
                loss
                + functional.cross_entropy(scores / 0.07, target)
                + functional.cross_entropy(scores.T / 0.07, target)
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        running[kind] += 0.05 * (float(loss.detach()) / 8 - running[kind])
        if (step + 1) % 30 == 0:
            print(f"step {step + 1} of {steps}  {running}  {time.time() - started:.0f} s", flush=True)
        if (step + 1) % 300 == 0:
            save(model)


def _tint(colour: tuple[int, int, int], generator: np.random.Generator, amount: int) -> tuple[int, ...]:
    shift = generator.integers(-amount, amount + 1, size=3)
    return tuple(int(np.clip(channel + change, 0, 255)) for channel, change in zip(colour, shift, strict=True))


def _other(names: list[str], taken: str, generator: np.random.Generator) -> str:
    left = [name for name in names if name != taken]
    return left[generator.integers(len(left))]


def main() -> None:
    """Teach a fresh starter and save it into the folder given."""
    from workbench.models.starter import build_starter

    parser = argparse.ArgumentParser(description="Make the starter model.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = build_starter()
    teach(
        model,
        options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        seed=options.seed,
        save=lambda trained: trained.save(str(options.folder), create_model_card=False),
    )
    model.save(str(options.folder), create_model_card=False)


if __name__ == "__main__":
    main()
