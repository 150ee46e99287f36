"""Models from the Hub, fetched by the real client from a Hub on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.models.fake_hub import COMMIT, CONVERSION, fake_hub, files_of
from workbench.models.source import fingerprint_folder
from workbench.models.starter import starter_folder

FIND = """
import json, sys
from workbench.errors import WorkbenchError
from workbench.models.source import find, fingerprint_folder
from workbench.workspace import open_workspace
try:
    source = find(open_workspace(sys.argv[1]), sys.argv[2])
    print(json.dumps({"kind": source.kind, "revision": source.revision, "print": fingerprint_folder(source.folder)}))
except WorkbenchError as error:
    print(json.dumps({"error": str(error)}))
"""


def find_there(address: str, tmp_path: Path, model_id: str, **more: str) -> dict[str, str]:
    """`find` in a process that takes `address` for the Hub: the client reads that once, when it is imported."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": address,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
        **more,
    }
    command = [sys.executable, "-c", FIND, str(tmp_path / "workspace"), model_id]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_model_is_fetched_without_its_pickles_and_knows_its_commit(tmp_path: Path) -> None:
    files = files_of(starter_folder()) | {"pytorch_model.bin": b"pickled", "model.py": b"import os"}
    with fake_hub("someone/model", files) as (address, asked):
        found = find_there(address, tmp_path, "someone/model")
    assert found == {"kind": "embedder", "revision": COMMIT, "print": fingerprint_folder(starter_folder())}
    assert any(path.endswith("model.safetensors") for path in asked)
    assert not any(path.endswith((".bin", ".py")) for path in asked)


def test_a_model_with_pickled_weights_alone_is_refused(tmp_path: Path) -> None:
    with fake_hub("someone/old", {"config.json": b'{"model_type": "bert"}', "pytorch_model.bin": b"pickled"}) as (
        address,
        _,
    ):
        assert "has no safetensors weights" in find_there(address, tmp_path, "someone/old")["error"]


def test_the_hub_s_own_conversion_of_pickled_weights_is_taken_and_kept(tmp_path: Path) -> None:
    model = files_of(starter_folder())
    settings = {name: data for name, data in model.items() if not name.endswith(".safetensors")}
    pickled = {"pytorch_model.bin": b"pickled"}
    with fake_hub("someone/model", settings | pickled, converted=model | pickled) as (address, asked):
        found = find_there(address, tmp_path, "someone/model")
        again = find_there(address, tmp_path, "someone/model")
    assert found == again == {"kind": "embedder", "revision": CONVERSION, "print": fingerprint_folder(starter_folder())}
    assert sum("discussions" in path for path in asked) == 1
    assert not any(path.endswith(".bin") for path in asked)


def test_a_conversion_of_other_weights_is_not_taken(tmp_path: Path) -> None:
    files = {"config.json": b'{"model_type": "bert"}', "pytorch_model.bin": b"pickled anew"}
    stale = {**files, "pytorch_model.bin": b"pickled", "model.safetensors": b"of the old ones"}
    with fake_hub("someone/model", files, converted=stale) as (address, asked):
        assert "has no safetensors weights" in find_there(address, tmp_path, "someone/model")["error"]
    assert not any(path.endswith("model.safetensors") for path in asked)


def test_a_gated_model_says_where_to_agree_and_what_to_type(tmp_path: Path) -> None:
    with fake_hub("someone/gated", {"config.json": b"{}"}, gated=True) as (address, _):
        error = find_there(address, tmp_path, "someone/gated")["error"]
    assert "agree to terms first" in error and "hf auth login" in error


def test_a_model_that_is_not_there_says_so(tmp_path: Path) -> None:
    with fake_hub("someone/model", {}) as (address, _):
        assert "The Hub has no model" in find_there(address, tmp_path, "someone/other")["error"]


def test_a_pull_request_of_somebody_else_in_the_cache_is_not_taken(tmp_path: Path) -> None:
    model = files_of(starter_folder())
    settings = {name: data for name, data in model.items() if not name.endswith(".safetensors")}
    with fake_hub("someone/model", settings | {"pytorch_model.bin": b"pickled"}) as (address, _):
        assert "has no safetensors weights" in find_there(address, tmp_path, "someone/model")["error"]
        cached = tmp_path / "home" / "hub" / "models--someone--model"
        shutil.copytree(starter_folder(), cached / "snapshots" / CONVERSION)
        (cached / "refs" / "refs" / "pr").mkdir(parents=True)
        (cached / "refs" / "refs" / "pr" / "7").write_text(CONVERSION)
        assert "has no safetensors weights" in find_there(address, tmp_path, "someone/model")["error"]


def test_a_model_of_which_only_the_settings_lie_here_needs_the_network(tmp_path: Path) -> None:
    model = files_of(starter_folder())
    settings = {name: data for name, data in model.items() if not name.endswith(".safetensors")}
    with fake_hub("someone/model", settings) as (address, _):
        find_there(address, tmp_path, "someone/model")
    for more in ({"HF_HUB_OFFLINE": "1"}, {}):
        error = find_there("http://127.0.0.1:9", tmp_path, "someone/model", **more)["error"]
        assert "is not on this computer and the Hub cannot be reached" in error and "author" not in error


def test_without_a_network_the_command_to_type_is_told(tmp_path: Path) -> None:
    assert "hf download someone/model" in find_there("http://127.0.0.1:9", tmp_path, "someone/model")["error"]
