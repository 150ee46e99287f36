"""The world of the built-in demo: scenes of two coloured shapes, drawn, described and sounded.

Every scene is seven choices (`Scene`). A sentence says them, a picture shows them, and a tune of seven notes
plays them, one note a choice. So each of the three can be searched by each other, and the right answer is known.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SHAPES = ("circle", "square", "triangle", "star", "heart", "ring")
COLOURS = {
    "red": (208, 56, 48),
    "orange": (233, 137, 38),
    "green": (62, 142, 78),
    "blue": (44, 104, 178),
    "purple": (128, 78, 158),
    "pink": (232, 140, 168),
    "black": (44, 42, 40),
    "brown": (132, 88, 56),
}
GROUNDS = {
    "white": (250, 248, 244),
    "grey": (206, 202, 196),
    "yellow": (248, 226, 140),
    "sky": (188, 220, 240),
    "mint": (196, 232, 208),
}
SIZES = ("small", "large")
PLACES = {
    "left of": (-1, 0),
    "right of": (1, 0),
    "above": (0, -1),
    "below": (0, 1),
}
PIXELS = 128
SAMPLING_RATE = 8000
NOTE_SECONDS = 0.2
# A pentatonic scale from A3, so that any seven notes sound well together.
PITCHES = tuple(220.0 * 2 ** (step / 12) for step in (0, 3, 5, 7, 10, 12, 15, 17))


@dataclass(frozen=True)
class Scene:
    """One choice of each attribute."""

    size: str
    colour: str
    shape: str
    place: str
    other_colour: str
    other_shape: str
    ground: str

    @property
    def choices(self) -> tuple[int, ...]:
        """The seven choices as numbers, in their order."""
        return (
            SIZES.index(self.size),
            list(COLOURS).index(self.colour),
            SHAPES.index(self.shape),
            list(PLACES).index(self.place),
            list(COLOURS).index(self.other_colour),
            SHAPES.index(self.other_shape),
            list(GROUNDS).index(self.ground),
        )

    def sentence(self) -> str:
        """`a large red star left of a blue ring on mint`."""
        return (
            f"a {self.size} {self.colour} {self.shape} {self.place} "
            f"a {self.other_colour} {self.other_shape} on {self.ground}"
        )


def sample_scenes(count: int, seed: int) -> list[Scene]:
    """`count` different scenes, the same for the same seed. At most 46,000 of the 92,160 possible are given."""
    generator = np.random.default_rng(seed)
    sizes = (len(SIZES), len(COLOURS), len(SHAPES), len(PLACES), len(COLOURS), len(SHAPES), len(GROUNDS))
    total = math.prod(sizes)
    if not 1 <= count <= total // 2:
        raise ValueError(f"count must be 1 to {total // 2}, not {count}")
    picks = generator.choice(total, size=count, replace=False)
    return [_scene(np.unravel_index(int(pick), sizes)) for pick in picks]


def _scene(choices: tuple[np.intp, ...]) -> Scene:
    size, colour, shape, place, other_colour, other_shape, ground = (int(choice) for choice in choices)
    colours, places, grounds = list(COLOURS), list(PLACES), list(GROUNDS)
    return Scene(
        SIZES[size],
        colours[colour],
        SHAPES[shape],
        places[place],
        colours[other_colour],
        SHAPES[other_shape],
        grounds[ground],
    )


def draw(scene: Scene, generator: np.random.Generator) -> bytes:
    """The scene as a PNG of 128×128 pixels; position, size and tint vary a little with `generator`."""
    from PIL import Image, ImageDraw

    scale = 3
    side = PIXELS * scale
    picture = Image.new("RGB", (side, side), _tinted(GROUNDS[scene.ground], generator, 4))
    pen = ImageDraw.Draw(picture)
    offset_x, offset_y = PLACES[scene.place]
    jitter = generator.uniform(-0.035, 0.035, size=4)
    radius = (0.24 if scene.size == "large" else 0.13) * generator.uniform(0.94, 1.06)
    other_radius = 0.17 * generator.uniform(0.94, 1.06)
    centre = (0.5 + 0.23 * offset_x + jitter[0], 0.5 + 0.23 * offset_y + jitter[1])
    other_centre = (0.5 - 0.25 * offset_x + jitter[2], 0.5 - 0.25 * offset_y + jitter[3])
    ground = GROUNDS[scene.ground]
    for shape, colour, (x, y), size in (
        (scene.other_shape, scene.other_colour, other_centre, other_radius),
        (scene.shape, scene.colour, centre, radius),
    ):
        shadow = tuple(int(channel * 0.86) for channel in ground)
        _draw_shape(pen, shape, x * side, (y + 0.018) * side, size * side, shadow, ground)
        _draw_shape(pen, shape, x * side, y * side, size * side, _tinted(COLOURS[colour], generator, 8), ground)
    file = io.BytesIO()
    picture.resize((PIXELS, PIXELS), Image.Resampling.BOX).save(file, "PNG")
    return file.getvalue()


def _draw_shape(pen, shape, x, y, radius, colour, ground) -> None:  # type: ignore[no-untyped-def]
    box = (x - radius, y - radius, x + radius, y + radius)
    if shape == "circle":
        pen.ellipse(box, fill=colour)
    elif shape == "ring":
        pen.ellipse(box, outline=colour, width=int(radius * 0.42))
    elif shape == "square":
        side = radius * 0.88
        pen.rounded_rectangle((x - side, y - side, x + side, y + side), radius=radius * 0.12, fill=colour)
    else:
        pen.polygon([(x + radius * px, y + radius * py) for px, py in _outline(shape)], fill=colour)


def _outline(shape: str) -> list[tuple[float, float]]:
    if shape == "triangle":
        return [(0.0, -1.0), (0.98, 0.78), (-0.98, 0.78)]
    if shape == "star":
        points = []
        for corner in range(10):
            reach = 1.05 if corner % 2 == 0 else 0.45
            angle = math.pi * (corner / 5 - 0.5)
            points.append((reach * math.cos(angle), reach * math.sin(angle)))
        return points
    # A heart: x = 16 sin³t, y = 13 cos t − 5 cos 2t − 2 cos 3t − cos 4t, scaled to the unit circle.
    points = []
    for step in range(48):
        t = 2 * math.pi * step / 48
        height = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((math.sin(t) ** 3, -height / 16))
    return points


def _tinted(colour: tuple[int, int, int], generator: np.random.Generator, amount: int) -> tuple[int, ...]:
    shift = generator.integers(-amount, amount + 1)
    return tuple(int(np.clip(channel + shift, 0, 255)) for channel in colour)


def sound(scene: Scene, generator: np.random.Generator) -> bytes:
    """The scene as a FLAC of seven plucked notes; loudness and tuning vary a little with `generator`."""
    import soundfile

    samples = int(NOTE_SECONDS * SAMPLING_RATE)
    time = np.arange(samples) / SAMPLING_RATE
    envelope = np.minimum(time / 0.008, 1.0) * np.exp(-time * 9.0)
    tuning = 2 ** (generator.uniform(-0.12, 0.12) / 12)
    notes = []
    for choice in scene.choices:
        frequency = PITCHES[choice] * tuning
        wave = sum(np.sin(2 * np.pi * frequency * k * time) / k**1.6 for k in (1, 2, 3))
        notes.append(wave * envelope * generator.uniform(0.8, 1.0))
    wave = np.concatenate(notes)
    wave = 0.45 * wave / np.abs(wave).max() + generator.normal(0, 0.0004, wave.shape)
    file = io.BytesIO()
    soundfile.write(file, wave.astype(np.float32), SAMPLING_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def render(scenes: list[Scene], seed: int) -> Iterator[tuple[str, bytes, bytes]]:
    """Sentence, PNG and FLAC of each scene."""
    for number, scene in enumerate(scenes):
        generator = np.random.default_rng([seed, number])
        yield scene.sentence(), draw(scene, generator), sound(scene, generator)
