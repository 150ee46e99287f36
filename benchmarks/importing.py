"""Seconds and peak memory of imports: text pairs from a CSV, pictures from a ZIP, pages of a PDF.

    python benchmarks/importing.py [--pairs 1000000] [--pictures 20000] [--pages 1000] [--pixels 256]
    python benchmarks/importing.py --large      a ZIP of 5 GB, and 1,000,000 pairs added to 1,000 that are there

What is imported is made on the fly in a temporary folder, and is not counted. Each import is a process of its own, the
same function that an import job calls, and its peak is the resident memory of that process as the kernel counts it
(ru_maxrss); what the process holds before it begins is told beside it. A size of 0 leaves that part out.
`--large` needs 15 GB of disk in the temporary folder.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))


def write_pairs(path: Path, count: int) -> None:
    """A CSV of questions of about 9 words and answers of about 60, every one different."""
    generator = np.random.default_rng(0)
    words = np.array(["".join(generator.choice(list("abcdefghijklmnoprstuw"), 6)) for _ in range(5000)])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer"])
        for first in range(0, count, 1000):
            for number, row in enumerate(words[generator.integers(0, 5000, (min(1000, count - first), 66))], first):
                writer.writerow([f"{' '.join(row[:8])} {number}", f"{' '.join(row[8:])} {number}"])


def write_pictures(path: Path, count: int, pixels: int) -> None:
    """A ZIP of JPEGs with a caption each."""
    from PIL import Image

    generator = np.random.default_rng(0)
    lines = ["caption,photo"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(count):
            small = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            file = io.BytesIO()
            Image.fromarray(small).resize((pixels, pixels), Image.Resampling.BICUBIC).save(file, "JPEG", quality=85)
            archive.writestr(f"photos/{number}.jpg", file.getvalue())
            lines.append(f"photograph number {number},photos/{number}.jpg")
        archive.writestr("pairs.csv", "\n".join(lines) + "\n")


def write_photographs(path: Path, gigabytes: float) -> int:
    """A ZIP of JPEGs of noise, about 1.3 MB each, and no two of the same bytes. Returns how many."""
    from PIL import Image

    generator = np.random.default_rng(0)
    file = io.BytesIO()
    noise = generator.integers(0, 255, (1200, 1600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "JPEG", quality=75)
    data = file.getvalue()
    count = int(gigabytes * 1e9 / len(data))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(count):
            comment = b"\xff\xfe\x00\x0a" + b"%08d" % number
            archive.writestr(f"photos/{number}.jpg", data[:2] + comment + data[2:])
        lines = [f"photograph number {number},photos/{number}.jpg" for number in range(count)]
        archive.writestr("pairs.csv", "\n".join(["caption,photo", *lines]) + "\n")
    return count


def write_pages(path: Path, count: int) -> None:
    """One PDF of A4 pages of 40 lines of Helvetica, with a text layer."""
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abcdefghijklmnoprstuw"), 6)) for _ in range(2000)]
    bodies = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for number in range(count):
        lines = [" ".join(generator.choice(words, 9)) for _ in range(40)]
        shown = "".join(f"({line}) Tj 0 -18 Td " for line in lines)
        stream = f"BT /F1 12 Tf 50 780 Td (Page {number + 1}) Tj 0 -30 Td {shown}ET".encode()
        bodies.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
        kids.append(f"{len(bodies) + 1} 0 R")
        page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>/Contents "
        bodies.append(f"{page}{len(bodies)} 0 R>>".encode())
    bodies[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {count}>>".encode()
    data, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(bodies, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}trailer\n<</Size {len(bodies) + 1}/Root 1 0 R>>\n"
    path.write_bytes(bytes(data) + f"{end}startxref\n{len(data)}\n%%EOF\n".encode())


def import_one(source: Path, workspace: Path, to_it: bool) -> None:
    """In the process of its own: import, or add to the collection that is there; print what it took as JSON."""
    from workbench.collection.adding import add_to_collection
    from workbench.collection.importing import import_collection
    from workbench.job_folder import create_job_folder
    from workbench.workspace import open_workspace

    opened = open_workspace(workspace)
    job = create_job_folder(opened.job("add-to-it" if to_it else "import-it"), "import", {}, {})
    before = _peak_megabytes()
    started, cpu = time.monotonic(), time.process_time()
    bring = add_to_collection if to_it else import_collection
    result = bring(opened, "it", source, progress=job.progress)
    told = {key: result[key] for key in ("queries", "documents")} | {"skipped": len(result["skipped"])}
    told |= {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps(told | {"before_megabytes": before, "peak_megabytes": _peak_megabytes()}))


def measure(what: str, count: int, source: Path, there: Path | None = None) -> None:
    """Import in a process of its own, and print a line about it. `there`: what is imported before, not counted."""
    with tempfile.TemporaryDirectory(dir=source.parent) as workspace:
        command = [sys.executable, __file__, "--workspace", workspace, "--one"]
        if there:
            subprocess.run([*command, str(there)], capture_output=True, check=True)
            command.insert(-1, "--add")
        answer = subprocess.run([*command, str(source)], capture_output=True, text=True, check=True)
        told = json.loads(answer.stdout.splitlines()[-1])
        each = f"{told['cpu_seconds']:,.0f} s of processor, {count / told['seconds']:,.0f} a second"
        made = f"{told['queries']:,} queries, {told['documents']:,} documents, {told['skipped']:,} left out"
        peak = f"peak {told['peak_megabytes']:,.0f} MiB ({told['before_megabytes']:,.0f} MiB before)"
        size = f"{source.stat().st_size / 1e6:,.0f} MB"
        print(f"{count:,} {what} ({size}): {told['seconds']:,.0f} s ({each}), {peak}; {made}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--pages", type=int, default=1_000)
    parser.add_argument("--pixels", type=int, default=256, help="the sides of a picture")
    parser.add_argument("--large", action="store_true", help="a ZIP of 5 GB, and 1,000,000 pairs that are added")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workspace", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--add", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        return import_one(chosen.one, chosen.workspace, chosen.add)
    with tempfile.TemporaryDirectory() as folder:
        if chosen.large:
            source = Path(folder) / "photos.zip"
            count = write_photographs(source, 5)
            measure("photographs from a ZIP", count, source)
            source.unlink()
            few = Path(folder) / "few.csv"
            write_pairs(few, 1000)
            source = Path(folder) / "pairs.csv"
            write_pairs(source, chosen.pairs)
            return measure("text pairs from a CSV, added to 1,000 of them", chosen.pairs, source, there=few)
        if chosen.pairs:
            source = Path(folder) / "pairs.csv"
            write_pairs(source, chosen.pairs)
            measure("text pairs from a CSV", chosen.pairs, source)
            source.unlink()
        if chosen.pictures:
            source = Path(folder) / "photos.zip"
            write_pictures(source, chosen.pictures, chosen.pixels)
            measure("pictures from a ZIP", chosen.pictures, source)
            source.unlink()
        if chosen.pages:
            source = Path(folder) / "pages.pdf"
            write_pages(source, chosen.pages)
            measure("pages of a PDF", chosen.pages, source)


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
