from __future__ import annotations

import errno
import os

import pytest

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.jobs import failures


@pytest.fixture
def job(workspace) -> JobFolder:
    spec = {"settings": {"mini_batch_size": 64, "batch_size": 32}}
    return create_job_folder(workspace.run("failing"), "train", spec, {})


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own, which is not imported here."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ],
)
def test_memory_that_ran_out_is_recognised_also_below_another_error(job, error):
    outer = ValueError("training failed")
    outer.__cause__ = error
    for shown in (error, outer):
        failure = failures.explain(shown, job)
        assert failure.out_of_memory and failure.reason.startswith("Memory ran out.")
    # The batch is smaller than the mini-batch, so half of the batch is what would change something.
    assert failure.advice == {"about": "out of memory", "setting": "mini_batch_size", "value": 16, "was": 32}
    assert "mini-batch of 16 in place of 32" in failure.reason


def test_a_killed_loader_process_is_told_apart_from_memory_that_surely_ran_out(job):
    failure = failures.explain(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), job)
    assert "fewer loader processes" in failure.reason and not failure.out_of_memory


def test_a_mini_batch_that_the_run_chose_itself_is_taken_from_what_it_said(workspace):
    settings = {"mini_batch_size": 0, "batch_size": 128}
    job = create_job_folder(workspace.run("chosen"), "train", {"settings": settings}, {})
    assert "mini-batch of 8 in place of 16" in failures.explain(MemoryError(), job).reason
    job.emit("started", mini_batch_size=128)
    assert "mini-batch of 64 in place of 128" in failures.explain(MemoryError(), job).reason


def test_an_error_that_only_speaks_of_memory_is_not_one(job):
    assert not failures.is_out_of_memory(ValueError("the memory mapping is out of range"))
    assert not failures.is_out_of_memory(None)


def test_without_a_mini_batch_to_lower_the_advice_is_another(workspace, job):
    smallest = create_job_folder(
        workspace.run("one"), "train", {"settings": {"mini_batch_size": 1, "batch_size": 8}}, {}
    )
    other = create_job_folder(workspace.job("index"), "index", {}, {})
    for place, words in ((smallest, "is 1 already"), (other, "Close other programs")):
        failure = failures.explain(MemoryError(), place)
        assert words in failure.reason and failure.advice is None


def test_an_error_told_in_words_keeps_them_and_still_counts_as_out_of_memory(job):
    error = WorkbenchError("The pictures are too large for this computer.", ["a.png"])
    error.__cause__ = MemoryError()
    failure = failures.explain(error, job)
    assert (failure.reason, failure.problems) == (error.message, ["a.png"])
    assert failure.out_of_memory and failure.advice is not None


@pytest.mark.parametrize(
    ("returncode", "out_of_memory", "log", "state", "words"),
    [
        (-9, True, "", "failed", "memory ran out"),
        (-9, False, "", "crashed", "killed from outside"),
        (-11, False, "", "crashed", "SIGSEGV"),
        (1, False, "OSError: [Errno 28] No space left on device\n\n", "failed", "is full"),
        (1, False, "ImportError: no torch\n", "crashed", "The last line of its log: ImportError: no torch"),
        (-99, False, "", "crashed", "signal 99"),
    ],
)
def test_a_worker_that_said_nothing_is_explained_from_outside(job, returncode, out_of_memory, log, state, words):
    (job.path / "log.txt").write_text(log)
    found_state, reason = failures.explain_exit(job, returncode, out_of_memory)
    assert found_state == state and words in reason and "\n" not in reason


def test_an_import_cannot_be_resumed_so_nobody_is_told_to(workspace, job):
    importing = create_job_folder(workspace.job("import-x"), "import", {}, {})
    assert failures.what_next(importing) == "Start it again."
    assert failures.what_next(job).startswith("Resume")


def test_the_last_line_of_a_long_log_is_found_at_its_end(job):
    assert failures.last_log_line(job) == ""
    (job.path / "log.txt").write_bytes(b"x" * 100_000 + b"\nlast \xff line\n\n  \n")
    assert failures.last_log_line(job) == "last \ufffd line"


def test_on_a_full_disk_the_held_room_is_given_back_for_the_last_words(job):
    failures.hold_room(job)
    assert (job.path / ".room").stat().st_size == failures.ROOM_BYTES

    def write() -> None:
        if (job.path / ".room").exists():
            raise OSError(errno.ENOSPC, "full")
        job.write_status(state="failed", reason="The disk is full.")

    failures.write_last_words(job, write)
    assert job.status().state == "failed"


def test_last_words_that_cannot_be_written_at_all_are_logged_and_nothing_hangs(job, capsys):
    def write() -> None:
        raise OSError(errno.ENOSPC, "full")

    failures.write_last_words(job, write)
    assert "could not be written" in capsys.readouterr().out
    with pytest.raises(PermissionError):
        failures.write_last_words(job, lambda: (_ for _ in ()).throw(PermissionError()))


def test_the_count_of_kills_for_lack_of_memory_is_read_from_the_systems_counters(tmp_path, monkeypatch):
    counters = tmp_path / "memory.events"
    counters.write_text("low 0\noom 5\noom_kill 3\n")
    monkeypatch.setattr(failures, "_own_memory_counters", lambda: iter([tmp_path / "none", counters]))
    assert failures.count_out_of_memory_kills() == 3
