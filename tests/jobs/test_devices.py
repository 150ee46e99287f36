"""Which devices there are, and that each is used by one job at a time. They are made up: toy works only hold them."""

from __future__ import annotations

import pytest
from waiting import part, until, until_counting, until_state

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.jobs import devices
from workbench.jobs.devices import Device, check_wanted, find_devices, fitting, read_list, wanted_device

TWO = "GPU 0: NVIDIA H200 (UUID: GPU-aaa)\nGPU 1: NVIDIA H200 (UUID: GPU-bbb)\n"
IN_PARTS = """GPU 0: NVIDIA A100 (UUID: GPU-aaa)
  MIG 3g.20gb     Device  0: (UUID: MIG-a0)
  MIG 3g.20gb     Device  1: (UUID: MIG-a1)
GPU 1: NVIDIA A100 (UUID: GPU-bbb)
"""


@pytest.fixture
def computer(monkeypatch):
    """computer(listed, **environment): what find_devices finds on a computer whose nvidia-smi lists so."""
    monkeypatch.setattr(devices, "_torch_uses_gpus", lambda: True)
    for name in ("CUDA_VISIBLE_DEVICES", "WORKBENCH_DEVICES"):
        monkeypatch.delenv(name, raising=False)

    def find(listed: str, **environment: str) -> list[tuple[str, str | None]]:
        with monkeypatch.context() as patch:
            patch.setattr(devices, "_nvidia_smi", lambda: listed)
            for name, value in environment.items():
                patch.setenv(name, value)
            return [(device.name, device.visible) for device in find_devices()]

    return find


def test_gpus_are_counted_by_their_uuids_and_a_computer_without_any_has_one_device(computer):
    both = [("cuda:0", "GPU-aaa"), ("cuda:1", "GPU-bbb"), ("cpu", "")]
    assert computer(TWO) == both
    assert computer("") == [("default", None)]
    assert read_list(IN_PARTS) == ["MIG-a0", "MIG-a1", "GPU-bbb"]
    assert computer(TWO, CUDA_VISIBLE_DEVICES="1,0") == [both[1], both[0], both[2]]
    assert computer(TWO, CUDA_VISIBLE_DEVICES="GPU-b") == both[1:]
    assert computer(TWO, CUDA_VISIBLE_DEVICES="1,7,0") == both[1:]  # CUDA hides what stands behind a wrong one
    assert computer(TWO, CUDA_VISIBLE_DEVICES="") == [("default", None)]
    assert computer("", CUDA_VISIBLE_DEVICES="2,GPU-x") == [("cuda:2", "2"), ("cuda:1", "GPU-x"), ("cpu", "")]
    assert computer(TWO, WORKBENCH_DEVICES="cuda:1, cuda:5,cpu") == [both[1], ("cuda:5", "5"), ("cpu", "")]


def test_a_torch_without_gpus_leaves_them_alone(computer, monkeypatch):
    monkeypatch.setattr(devices, "_torch_uses_gpus", lambda: False)
    assert computer(TWO) == [("default", None)]


def test_a_gpu_that_goes_by_two_names_has_one_lock():
    assert Device("default").lock == Device("cuda:0").lock == "device-default.lock"
    assert Device("cuda:1").lock == "device-cuda-1.lock"
    assert Device("../../etc").lock == "device--etc.lock"


def test_a_job_may_take_the_device_that_it_names_or_else_any():
    here = [Device("cuda:0", "a"), Device("cuda:1", "b"), Device("cpu", "", spare=True)]
    names = {wanted: [device.name for device in fitting(here, wanted)] for wanted in ("", "cuda", "cuda:1", "cpu", "x")}
    assert names == {
        "": ["cuda:0", "cuda:1"],
        "cuda": ["cuda:0", "cuda:1"],
        "cuda:1": ["cuda:1"],
        "cpu": ["cpu"],
        "x": [],
    }
    assert [wanted_device(spec) for spec in ({}, {"device": "Default"}, {"device": "CUDA:1"})] == ["", "", "cuda:1"]
    only = [Device("default")]
    assert fitting(only, "cpu") == fitting(only, "cuda:0") == only
    with pytest.raises(WorkbenchError, match=r"no device “cuda:3” here\. Choose one of cuda:0, cuda:1, cpu"):
        check_wanted(here, "cuda:3")
    with pytest.raises(WorkbenchError, match="This computer has one"):
        check_wanted(only, "cuda:1")


def test_jobs_take_the_free_devices_in_their_order_and_use_them_alone(workspace, begin, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DEVICES", "cuda:0,cuda:1")
    first = begin("see", "first", to=10_000)
    until_counting(first)
    second = begin("see", "second", to=10_000)
    until_counting(second)
    third, fourth = begin("see", "third", to=1), begin("see", "fourth", to=1)
    until(lambda: fourth.status().note == "Waiting for first, second and 1 more.")
    assert [jobs.watch(job).device for job in (first, second, third)] == ["cuda:0", "cuda:1", ""]
    (workspace.root / "enough").touch()
    for job, visible in ((first, "0"), (second, "1")):
        assert jobs.wait(job, timeout=120).state == "finished"
        assert job.result() == {"visible": visible, "torch": False}
        assert f"its device: cuda:{visible}" in (job.path / "log.txt").read_text()
    for job in (third, fourth):
        assert jobs.wait(job, timeout=120).state == "finished"


def test_a_job_waits_for_the_device_that_it_names_and_holds_nobody_else_up(workspace, begin, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DEVICES", "cuda:0,cuda:1")
    busy = begin("see", "busy", to=10_000, device="cuda:1")
    until_counting(busy)
    picky = begin("see", "picky", to=1, device="cuda:1")
    until(lambda: "busy" in picky.status().note)
    other = begin("see", "other", to=1)
    assert jobs.wait(other, timeout=120).device == "cuda:0"
    assert jobs.watch(picky).state == "queued"
    absent = begin("see", "absent", to=1, device="cuda:7")
    assert "no device “cuda:7” here" in jobs.wait(absent, timeout=120).reason
    part(busy, "worker").kill()
    assert jobs.wait(picky, timeout=120).device == "cuda:1"


def test_a_device_under_two_names_is_not_booked_twice_and_a_killed_worker_frees_it(workspace, begin, monkeypatch):
    unnamed = begin("see", "unnamed", to=10_000)  # started where GPUs cannot be counted
    until_counting(unnamed)
    monkeypatch.setenv("WORKBENCH_DEVICES", "cuda:0")
    named = begin("see", "named", to=1, device="cuda:0")
    until(lambda: named.status().note == "Waiting for unnamed.")
    assert (jobs.watch(unnamed).device, jobs.watch(named).state) == ("default", "queued")
    part(unnamed, "worker").kill()
    assert jobs.wait(named, timeout=120).state == "finished"
    until_state(unnamed, "crashed")
