from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from workbench import cli, jobs
from workbench.errors import WorkbenchError
from workbench.jobs import processes
from workbench.workspace import Workspace

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture
def run(workspace: Workspace) -> Callable[..., Any]:
    """run("runs", "list", …): a command in this process, on the test's workspace."""

    def run(*words: str, **options: Any) -> Any:
        return CliRunner().invoke(cli.app, [*words, "--workspace", str(workspace.root)], **options)

    return run


@pytest.fixture
def toy_job(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Start a work of tests/jobs/toy_works.py; ended after the test."""
    here = str(PROJECT / "tests" / "jobs")
    monkeypatch.syspath_prepend(here)
    monkeypatch.setenv("PYTHONPATH", here)
    started = []

    def begin(work: str, name: str, **spec: Any) -> Any:
        started.append(jobs.start(workspace, work, name, spec, works_module="toy_works"))
        return started[-1]

    yield begin
    for job in started:
        processes.kill_tagged(job.path)


def terminal(workspace: Workspace, *words: str) -> subprocess.Popen[str]:
    """A command in a process of its own, as a person or a script starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "workbench", *words, "--workspace", str(workspace.root)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        # A shell that starts the tests in the background has told them to ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def write_pairs(path: Path, rows: int = 40) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer"])
        writer.writerows((f"what is number {n}", f"it is the number {n}, after {n - 1}") for n in range(rows))
    return path


def test_help_lists_every_command_and_loads_nothing_heavy():
    script = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from workbench import cli\n"
        "print(CliRunner().invoke(cli.app, ['--help']).output)\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'datasets', 'gradio', 'lancedb', 'numpy', 'pandas',"
        " 'PIL', 'pydantic'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout
    for command in ("demo", "import", "mine", "train", "runs", "evaluate", "index", "search"):
        assert f"\n  {command} " in done.stdout
        assert CliRunner().invoke(cli.app, [command, "--help"]).exit_code == 0


def test_import_prints_one_object_on_stdout_and_its_progress_on_stderr(workspace, tmp_path):
    source = write_pairs(tmp_path / "pairs.csv")
    command = terminal(workspace, "import", str(source), "--name", "numbers", "--json")
    out, err = command.communicate(timeout=120)
    assert command.returncode == 0, err
    result = json.loads(out)
    assert result["collection"] == "numbers" and result["queries"] == 40
    assert set(result) == {"collection", "queries", "documents", "judgements", "modalities", "skipped"}
    assert "import-numbers: " in err
    [job] = jobs.list_jobs(workspace)
    assert job.result() == result and jobs.watch(job).state == "finished"


def test_a_bad_source_is_one_plain_sentence_on_stderr_and_exit_code_1(workspace, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    command = terminal(workspace, "import", str(tmp_path / "empty.csv"), "--name", "empty", "--json")
    out, err = command.communicate(timeout=120)
    assert (command.returncode, out) == (1, "")
    last = err.strip().splitlines()[-1]
    assert "empty.csv" in last and "Traceback" not in err
    assert list(workspace.collections.iterdir()) == []


def test_a_missing_source_a_missing_collection_and_a_bad_name_start_no_job(run, workspace, tmp_path):
    done = run("import", str(tmp_path / "none.csv"))
    assert done.exit_code == 1 and "There is no file or folder" in done.stderr and not done.stdout
    source = write_pairs(tmp_path / "pairs.csv")
    done = run("import", str(source), "--name", "Not Allowed")
    assert done.exit_code == 1 and "cannot be the name of a collection" in done.stderr
    done = run("evaluate", "--collection", "none", "--model", "starter")
    assert done.exit_code == 1 and "There is no collection named “none”" in done.stderr
    done = run("index", "--name", "i", "--collection", "none", "--model", "starter")
    assert done.exit_code == 1 and "There is no collection named “none”" in done.stderr
    assert jobs.list_jobs(workspace) == []


@pytest.mark.parametrize(
    "words",
    [
        ["import"],
        ["no-such-command"],
        ["search", "i"],
        ["search", "i", "--text", "a", "--audio", "b.wav"],
        ["index", "--name", "i", "--model", "starter"],
        ["index", "--name", "i", "--model", "starter", "--collection", "c", "--folder", "d"],
        ["evaluate", "--collection", "c", "--model", "starter", "--dims", "256,many"],
        ["evaluate", "--collection", "c", "--model", "starter", "--dims", "-3"],
        ["runs", "show"],
    ],
)
def test_wrong_usage_is_exit_code_2(run, words):
    done = run(*words)
    assert done.exit_code == 2 and "Usage:" in done.stderr and not done.stdout


def test_an_unexpected_error_is_one_sentence_and_its_report_only_with_debug(run, monkeypatch):
    def broken(workspace: Workspace) -> None:
        raise KeyError("missing")

    monkeypatch.setattr(jobs, "list_runs", broken)
    done = run("runs", "list")
    assert done.exit_code == 1 and "no words for: KeyError: 'missing'" in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1
    assert "Traceback" in run("runs", "list", "--debug").stderr


def test_an_error_lists_all_its_problems(run, monkeypatch):
    def broken(workspace: Workspace) -> None:
        raise WorkbenchError("Some rows are bad:", ["Row 1: no.", "Row 2: no."])

    monkeypatch.setattr(jobs, "list_runs", broken)
    assert run("runs").stderr.splitlines() == ["Some rows are bad:", "Row 1: no.", "Row 2: no."]


def test_what_a_library_prints_does_not_reach_stdout(run, monkeypatch):
    def chatty(workspace: Workspace) -> list[Any]:
        print("a library says hello")
        return []

    monkeypatch.setattr(jobs, "list_runs", chatty)
    done = run("runs", "--json")
    assert json.loads(done.stdout) == {"runs": []} and "hello" in done.stderr


def test_runs_can_be_listed_shown_stopped_and_removed(run, workspace, toy_job):
    assert "There are no runs yet" in run("runs").stdout
    job = toy_job("count", "counting", to=1000)
    until(lambda: jobs.watch(job).state == "running")
    [line] = json.loads(run("runs", "list", "--all", "--json").stdout)["jobs"]
    assert (line["run"], line["state"], line["work"]) == ("counting", "running", "count")
    assert "counting" in run("runs", "--all").stdout and "counting" not in run("runs", "list", "--json").stdout

    done = run("runs", "remove", "counting")
    assert done.exit_code == 2 and "Nobody can be asked here. Add --yes" in done.stderr
    done = run("runs", "remove", "counting", "--yes")
    assert done.exit_code == 1 and "still running" in done.stderr
    done = run("runs", "resume", "counting")
    assert done.exit_code == 1 and not done.stdout
    stopped = json.loads(run("runs", "stop", "counting", "--wait", "--json").stdout)
    assert stopped["state"] == "stopped"
    done = run("runs", "stop", "counting")
    assert done.exit_code == 1 and "is not running: it is stopped" in done.stderr
    shown = json.loads(run("runs", "show", "counting", "--json").stdout)
    keys = {"run", "state", "step", "steps", "seconds", "baseline", "metrics", "model", "reason"}
    assert shown.keys() == keys and shown["steps"] == 1000
    assert "counting: stopped" in run("runs", "show", "counting").stdout

    assert json.loads(run("runs", "remove", "counting", "--yes", "--json").stdout)["removed"] is True
    done = run("runs", "show", "counting")
    assert done.exit_code == 1 and "no run or job named “counting”" in done.stderr


def test_removing_a_run_names_the_indexes_that_need_it(run, workspace):
    from workbench.index.registry import IndexCard, publish
    from workbench.job_folder import create_job_folder

    numbers = {"rows": 1, "dimension": 8, "model_dimension": 8, "bytes": 1, "seconds": 1.0, "created": 1.0}
    words = {"collection_fingerprint": "a", "fingerprint": "b", "precision": "float32", "kind": "exact"}
    for name, model in (("photos", "run:tuned"), ("others", "starter")):
        publish(workspace, IndexCard(name, f"{name}-1", "c", model=model, recall=1.0, **numbers, **words))
    create_job_folder(workspace.run("tuned"), "train", {}, {}).write_status(state="finished")
    done = run("runs", "remove", "tuned", "--yes")
    assert "What was indexed with it cannot be searched without it: “photos”." in done.stdout


def test_stop_with_no_grace_ends_a_job_that_does_not_listen(run, toy_job):
    job = toy_job("deaf", "deaf")
    until(lambda: jobs.watch(job).state == "running")
    assert run("runs", "stop", "deaf", "--wait", "--grace", "0").stdout.strip() == "“deaf” is stopped."


def test_train_returns_at_once_and_says_how_to_follow_the_run(run, workspace, tmp_path):
    import_small(workspace, tmp_path)
    with FileLock(workspace.locks / "device-default.lock"):  # somebody else computes, so this run waits
        done = run("train", "--collection", "numbers", "--model", "starter", "--set", "epochs=2", "--name", "waits")
        assert done.exit_code == 0 and "runs show waits" in done.stdout
        job = jobs.find(workspace, "waits")
        until(lambda: jobs.watch(job).note == "Waiting for the device.")
        shown = json.loads(run("runs", "show", "waits", "--json").stdout)
        assert (shown["run"], shown["state"]) == ("waits", "queued")
        assert job.spec["settings"]["epochs"] == 2.0
        assert "stopped" in run("runs", "stop", "waits", "--wait").stdout
    done = run("train", "--collection", "numbers", "--set", "speed=9", "--set", "epochs=0")
    assert done.exit_code == 1 and "speed" in done.stderr and "epochs" in done.stderr
    assert [found.name for found in jobs.list_runs(workspace)] == ["waits"]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_stops_the_job_gracefully_and_exits_with_1(workspace, tmp_path):
    import_small(workspace, tmp_path)
    with FileLock(workspace.locks / "device-default.lock"):
        command = terminal(workspace, "index", "--name", "i", "--collection", "numbers", "--model", "starter", "--json")
        until(lambda: (workspace.job("index-i") / "status.json").exists())
        job = jobs.find(workspace, "index-i")
        until(lambda: "Waiting" in jobs.watch(job).note)
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=120)
    assert (command.returncode, out) == (1, "")
    assert "Stopping “index-i”" in err and "Traceback" not in err
    assert jobs.watch(job).state == "stopped" and not processes.tagged(job.path)


def test_the_job_goes_on_when_the_terminal_is_killed(workspace, tmp_path):
    import_small(workspace, tmp_path)
    with FileLock(workspace.locks / "device-default.lock"):
        command = terminal(workspace, "index", "--name", "i", "--collection", "numbers", "--model", "starter")
        until(lambda: (workspace.job("index-i") / "status.json").exists())
        job = jobs.find(workspace, "index-i")
        until(lambda: "Waiting" in jobs.watch(job).note)
        command.kill()
        command.communicate()
        time.sleep(1)
        assert jobs.watch(job).state == "queued" and processes.tagged(job.path)
        jobs.stop(job)
        assert jobs.wait(job, timeout=120).state == "stopped"


def test_a_search_is_printed_as_the_design_spells_it(run, workspace, tmp_path, monkeypatch):
    from workbench.index import search
    from workbench.index.results import Hit, SearchResult

    asked = {}

    class FakeSearcher:
        def __init__(self, workspace: Workspace) -> None: ...

        def search(self, index: str, query: Any, **options: Any) -> SearchResult:
            asked.update(index=index, query=query, **options)
            hit = Hit(1, "d1", 0.91, "text", "it is\nthe number 4", "", 3, "numbers", 2, 0.8, 0.91)
            return SearchResult(index, "starter", [hit], {"encode": 1.0, "search": 2.0, "rerank": 3.0}, 64, "r")

    monkeypatch.setattr(search, "Searcher", FakeSearcher)
    done = run("search", "numbers", "--text", "four", "--top", "3", "--reranker", "r", "--dimension", "64", "--json")
    found = json.loads(done.stdout)
    assert found.keys() == {"index", "model", "hits", "milliseconds"}
    assert found["hits"][0]["id"] == "d1" and found["milliseconds"]["rerank"] == 3.0
    assert (asked["query"].text, asked["top"], asked["dimension"], asked["reranker"]) == ("four", 3, 64, "r")
    assert "from 2" in run("search", "numbers", "--text", "four").stdout

    (tmp_path / "bad.png").write_bytes(b"no picture")
    done = run("search", "numbers", "--image", str(tmp_path / "bad.png"))
    assert done.exit_code == 1 and "bad.png" in done.stderr
    done = run("search", "numbers", "--image", str(tmp_path / "none.png"))
    assert done.exit_code == 1 and "cannot be read" in done.stderr


def test_a_model_folder_means_the_same_from_everywhere(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert cli.lasting("mine") == str(tmp_path / "mine")
    for reference in ("starter", "run:a", "sentence-transformers/all-MiniLM-L6-v2"):
        assert cli.lasting(reference) == reference


def import_small(workspace: Workspace, folder: Path) -> None:
    from workbench.collection.importing import import_collection

    import_collection(workspace, "numbers", write_pairs(folder / "pairs.csv"))


def until(condition: Callable[[], Any], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds:.0f} s"
        time.sleep(0.05)


@pytest.mark.parametrize("words", [["--kind", "foo"], ["--preset", "foo"], ["--budget", "3"]])
def test_a_kind_or_preset_that_there_is_not_is_wrong_usage(run, words):
    for command in ("train", *(["fit"] if "--budget" not in words else [])):
        assert run(command, "--collection", "none", *words).exit_code == 2
