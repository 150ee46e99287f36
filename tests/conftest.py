"""Fixtures shared by all tests: a fresh workspace, the real data where it is at hand, tiny media."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
# Several processes work side by side: threads of their own would only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from workbench.workspace import Workspace, open_workspace

LONGEST = ("test_journey", "test_first_minutes", "test_killed_runs", "test_messy_journey", "test_generate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first, so that no process is left alone with one of them at the end.

    Tests marked slow show in detail, or with a browser or a training of their own, what quicker ones show in the main:
    they are left out unless WORKBENCH_SLOW_TESTS is 1.
    """
    if os.environ.get("WORKBENCH_SLOW_TESTS") != "1":
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="slow: WORKBENCH_SLOW_TESTS=1 runs it"))
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path / "workspace")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that lies beside the project on some machines; a test that needs it is skipped elsewhere."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not at {folder}")
    return folder


def png_bytes(color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (16, 16)) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def wav_bytes(frequency: float = 440.0, seconds: float = 0.25, sampling_rate: int = 8000) -> bytes:
    import numpy as np
    import soundfile

    time = np.arange(int(seconds * sampling_rate)) / sampling_rate
    file = io.BytesIO()
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * frequency * time), sampling_rate, format="WAV")
    return file.getvalue()
