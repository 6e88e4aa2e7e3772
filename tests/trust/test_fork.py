"""Forked processes answer right or say why they cannot; none hangs and none is killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from processes import python_process

from fastdigits.ops.cuda.packages import version

PROGRAM = Path(__file__).with_name("fork_program.py")
PRELOAD = Path(__file__).with_name("preload_program.py")
LIMIT_S = 280  # with time to compile kernels
OPENMP = (
    "UserError: The kernels cannot run in this process, because it was forked after the threads of OpenMP had started; "
    "start processes with 'spawn', predict only after the fork, or set NUMBA_THREADING_LAYER to tbb "
    "('pip install tbb') or to workqueue."
)
OTHER_THREAD = (
    "UserError: The kernels cannot run in this process, because it was forked while its parent had another thread that "
    "ran kernels; start processes with 'spawn', fork before any other thread predicts, or set "
    "NUMBA_THREADING_LAYER=workqueue."
)
GPU = (
    "UserError: The GPU cannot be used: this process was forked from one that used it; start processes with 'spawn', "
    "or load networks only after the fork."
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems start processes with 'spawn'")


@pytest.fixture
def found(environment):
    """found(program, layer) is what a program prints that runs with a threading layer."""

    def found(program, layer):
        if layer == "tbb" and not version("tbb"):
            pytest.skip("the package tbb is not installed")
        variables = environment | {"NUMBA_THREADING_LAYER": layer}
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        with python_process(program, env=variables, text=True, **pipes) as running:
            output, errors = running.communicate(timeout=LIMIT_S)
        assert output, errors
        return json.loads(output.splitlines()[-1])

    return found


@pytest.mark.parametrize("layer", ["tbb", "omp", "workqueue"])
def test_forked_processes_answer_right_or_say_why_not(layer, found):
    after = [OPENMP] if layer == "omp" else ["right"]
    assert found(PROGRAM, layer) == {
        "layer": layer,
        "before the first kernel": ["right"],
        "after it": after,
        "one picture": ["right"],  # its kernels use one core
        "a grandchild": after,
        "a thread of the child": after,
        "multiprocessing": after,
        "a new network": after,
        "GPU": sorted([GPU, "answer"]),
        "while threads predict": [OTHER_THREAD] if layer == "tbb" else after,
        "the threads": ["right"],
        "after they ended": after,
        "from a thread": [OTHER_THREAD] if layer == "tbb" else after,
        "the parent": ["right"],
    }


def test_a_server_that_is_loaded_before_a_fork_answers_in_each_process(found):
    """With OpenMP, the children answer 500 to all but single requests, and their log has the sentence above."""
    pytest.importorskip("httpx")
    pytest.importorskip("fastapi")
    assert found(PRELOAD, "tbb") == [["200 7"] * 8] * 3
