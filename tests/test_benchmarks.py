"""The benchmarks of training run, small: what they compare still works, and what must be the same is the same.

They take about eight minutes, so they run only when they are asked for: WORKBENCH_BENCHMARK_TESTS=1.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    os.environ.get("WORKBENCH_BENCHMARK_TESTS") != "1", reason="WORKBENCH_BENCHMARK_TESTS=1 runs the benchmarks, small"
)
ROOT = Path(__file__).resolve().parents[1]


def output_of(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=900, env=os.environ
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("script", ["training_run", "mini_batch", "batching", "estimated_memory"])
def test_a_benchmark_ends_with_a_ratio_and_what_it_is_of(script: str) -> None:
    last = output_of(f"benchmarks/{script}.py", "--quick").splitlines()[-1]
    told = re.match(r"(\d+\.\d+) = .* ÷ ", last)
    assert told and float(told.group(1)) > 0, last


def test_every_part_of_the_benchmark_for_a_gpu_works_on_a_tiny_model() -> None:
    told = json.loads(output_of("benchmarks/vision_language.py", "--tiny", "--seconds", "800").splitlines()[-1])
    assert {name: part.get("error") for name, part in told["parts"].items()} == dict.fromkeys(told["parts"])
    assert told["parts"]["ours"]["mini_batch_size"] > told["parts"]["guide"]["mini_batch_size"] == 1
    assert len(told["parts"]["ours"]["times"]) == len(told["parts"]["guide"]["times"]) == 3
    assert told["time_ratio"] > 0 and told["memory_ratio"] > 0 and "estimate_error" in told


def test_an_index_answers_rightly_while_what_works_on_it_is_killed() -> None:
    told = json.loads(output_of("benchmarks/index_faults.py", "--kills", "5", "--documents", "120"))
    assert (told["kills"], told["problems"], told["left_behind"]) == (5, [], [])
    assert told["searches"]["answers"] > 0
    assert (told["searches"]["errors"], told["searches"]["wrong_answers"]) == (0, 0)
