"""The part of a run's script that turns rows of the collection into what the model reads, as `media` and `pairs` do.

Only what the collection holds is written: text, pictures, sounds, videos.
"""

from __future__ import annotations

from typing import Any

_PICTURE = """
def image(data):
    picture = Image.open(io.BytesIO(data))
    if picture.mode.startswith("I"):  # 16-bit greys
        values = np.asarray(picture, np.float64)
        scale = 257 if "16" in picture.mode or values.max() > 255 else 1
        picture = Image.fromarray((values / scale).clip(0, 255).astype(np.uint8))
    picture = ImageOps.exif_transpose(picture)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return picture.convert("RGB")
"""
_SCALED = """
def scaled(picture):  # into the limits of the run
    pixels = picture.width * picture.height
    scale = (max(MIN, min(pixels, MAX or pixels)) / pixels) ** 0.5
    step = int if scale < 1 else lambda side: -int(-side // 1)
    sides = [max(1, step(side * scale)) for side in picture.size]
    return picture if scale == 1 else picture.resize(sides)
"""
_SOUND = """
def audio(data):
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    samples = samples.mean(axis=1, dtype=np.float32)
    if rate != RATE:
        samples = resample_poly(samples, *np.array([RATE, rate]) // np.gcd(RATE, rate)).astype(np.float32)
    return {"array": samples, "sampling_rate": RATE}
"""
_VIDEO = """
def video(data):  # the third of four frames, evenly spread
    with av.open(io.BytesIO(data)) as opened:
        stream, target = opened.streams.video[0], (opened.duration or 0) / av.time_base * 2.5 / 4
        target += float(stream.start_time * stream.time_base) if stream.start_time else 0.0
        opened.seek(max(0, int(target * av.time_base)))
        for frame in opened.decode(stream):
            if frame.time is None or frame.time + 1e-3 >= target:
                break
        return frame.to_image()
"""


def decoder_of(recipe: dict[str, Any]) -> str:
    """The functions that turn a row of a side into what the model reads."""
    form, modalities = recipe["form"], recipe["modalities"]
    limits = form.get("limits") or {}
    pixels = [int(limits.get(name) or 0) for name in ("min_pixels", "max_pixels")]
    lines: list[str] = []
    if "image" in modalities:
        lines += _PICTURE.splitlines()
    if any(pixels):
        lines += _SCALED.replace("MIN", str(pixels[0])).replace("MAX", str(pixels[1])).splitlines()
    if "audio" in modalities:
        lines += [line.replace("RATE", str(form["sampling_rate"])) for line in _SOUND.splitlines()]
    if "video" in modalities:
        lines += _VIDEO.splitlines()
    return "\n".join([*lines, *_item(form, modalities, "scaled" if any(pixels) else ""), ""])


def _item(form: dict[str, Any], modalities: list[str], scaled: str) -> list[str]:
    """The function `item`: the content of a row, alone or as a dictionary or message of its parts."""
    lines = ["", "def item(side, row):", "    row, parts = SIDES[side][int(row)], {}"]
    if "text" in modalities:
        plain = "".join(f".replace({marker!r}, {marker[0] + ' ' + marker[1:]!r})" for marker in form["markers"])
        lines += ['    if row["text"] is not None:', f'        parts["text"] = row["text"]{plain}']
    for kind in ("image", "audio", "video"):
        if kind in modalities:
            decoded = f'{kind}(row["{kind}"]["bytes"])'
            decoded = f"{scaled}({decoded})" if scaled and kind != "audio" else decoded
            lines.append(f'    if (row["{kind}"] or {{}}).get("bytes") is not None:')
            lines.append(f'        parts["{kind}"] = {decoded}')
    seconds = (form.get("limits") or {}).get("audio_seconds") or 0
    if seconds and "audio" in modalities:
        longest = max(1, int(seconds * form["sampling_rate"]))
        lines += ['    if "audio" in parts:', f'        parts["audio"]["array"] = parts["audio"]["array"][:{longest}]']
    if "video" in modalities:
        lines += ['    if list(parts) == ["video"]:', '        return parts["video"]']
    if form["messages"]:
        lines += [
            "    if len(parts) > 1:",
            "        content = [{'type': kind, kind: part} for kind, part in parts.items()]",
        ]
        lines += [
            "        return [{'role': 'user', 'content': sorted(content, key=lambda part: part['type'] == 'text')}]"
        ]
    alone = 'parts.get("image", parts.get("text", parts))' if form.get("bare_text") else 'parts.get("image", parts)'
    return [*lines, f"    return {alone} if len(parts) == 1 else parts"]
