"""How much memory a piece of work took at its peak: of the GPU, or of this process where there is none."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress
from pathlib import Path

MOST_SHARE = 0.9


class Meter:
    """Make it before the model is loaded: what the process held by then is the libraries' and does not count."""

    def __init__(self) -> None:
        import psutil
        import sentence_transformers  # noqa: F401  # 300 MB of the libraries, which are loaded by now or soon
        import torch

        self._cuda = torch.cuda.is_available()
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.device_bytes = free_bytes()

    @property
    def budget(self) -> int:
        """What a run may take: nine tenths of what the device had to give, as memory is never cut quite to size."""
        return int(MOST_SHARE * self.device_bytes)

    def reset(self) -> None:
        """Forget the peak so far and give back what is not needed any more."""
        import torch

        gc.collect()
        if self._cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        elif sys.platform.startswith("linux"):
            with suppress(AttributeError):  # a C library without it keeps what was freed for later
                ctypes.CDLL(None).malloc_trim(0)
            with suppress(OSError):  # forbidden in some containers: the peak then only grows, as the sizes tried do
                Path("/proc/self/clear_refs").write_text("5")

    def peak(self) -> int:
        """The most bytes taken since `reset`."""
        import torch

        if self._cuda:
            return int(torch.cuda.max_memory_reserved())
        return max(0, self._process_peak() - self._before)

    def _process_peak(self) -> int:
        if sys.platform.startswith("linux"):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        told = self._process.memory_info()
        if hasattr(told, "peak_wset"):  # Windows
            return int(told.peak_wset)
        import resource

        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS


def free_bytes() -> int:
    """What the device has to give at this moment."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    free = int(psutil.virtual_memory().available)
    # A container may have less than the computer it runs on.
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):  # no such limit here, or "max"
            free = min(free, int(Path(limit).read_text()) - int(Path(used).read_text()))
    return max(0, free)
