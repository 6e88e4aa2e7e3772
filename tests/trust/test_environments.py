"""Environment variables and folders, as they should not be: right numbers, or one sentence that names the cure."""

import json
import os
import subprocess
from pathlib import Path

import numba
import pytest
from processes import python_process

from fastdigits.errors import UserError
from fastdigits.ops import load
from fastdigits.ops.cuda.packages import version
from fastdigits.ops.runtime import numba_setup, pool

PROGRAM = Path(__file__).with_name("layers_program.py")
LIMIT_S = 200
SENTENCES = {
    ("NUMBA_THREADING_LAYER", "nonsense"): "NUMBA_THREADING_LAYER is 'nonsense'; set it to one of tbb, omp, workqueue, "
    "safe, threadsafe, forksafe, default, or unset it.",
    ("NUMBA_THREADING_LAYER_PRIORITY", "omp tbb"): "NUMBA_THREADING_LAYER_PRIORITY must name tbb, omp and workqueue in "
    "any order; correct or unset it.",
    ("NUMBA_DISABLE_JIT", "1"): "NUMBA_DISABLE_JIT is set, but the kernels run only if they are compiled; unset it, or "
    "use the device 'reference'.",
    ("NUMBA_NUM_THREADS", "0"): "NUMBA_NUM_THREADS is '0'; set it to a whole number from 1 to 1024, or unset it.",
}


@pytest.fixture
def run(environment, tmp_path):
    """run(*arguments, **variables) runs `python ARGUMENTS` and returns (exit code, stdout, stderr)."""

    def run(*arguments, **variables):
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        names = environment | variables
        with python_process(*arguments, env=names, cwd=tmp_path, text=True, **pipes) as running:
            output, errors = running.communicate(timeout=LIMIT_S)
        return running.returncode, output, errors

    return run


def test_every_layer_gives_the_same_bits_also_in_several_python_threads(run):
    """Also without a temporary folder. Each thread uses as many cores as the operations were loaded for."""
    layers = [layer for layer in ("tbb", "omp", "workqueue") if layer != "tbb" or version("tbb")]
    bits = set()
    for layer in layers:
        code, output, errors = run(PROGRAM, NUMBA_THREADING_LAYER=layer)
        assert code == 0, errors
        found = json.loads(output.splitlines()[-1])
        bits.add(found.pop("bits"))
        cores = found.pop("cores")
        counts = sorted({(1, 1), (cores, cores)})
        assert found == {"layer": layer, "doctor": layer, "right": 4 * 30, "counts": [list(pair) for pair in counts]}
    assert len(bits) == 1


@pytest.mark.skipif(not version("tbb"), reason="the package tbb is not installed")
def test_tbb_is_found_where_pip_has_installed_it(run):
    program = (
        "from fastdigits import ops; from fastdigits.ops.runtime import pool; ops.run_test_kernel('cpu'); "
        "print(pool.layer())"
    )
    code, output, errors = run("-c", program, NUMBA_THREADING_LAYER="default")
    assert (code, output.strip()) == (0, "tbb"), errors


@pytest.mark.parametrize(("variable", "value"), SENTENCES)
def test_settings_that_stop_the_kernels(variable, value, run):
    arguments = ("-m", "fastdigits", "warmup", "--model", "linear", "--device", "cpu")
    code, _, errors = run(*arguments, **{variable: value})
    assert code == 1
    assert "Traceback" not in errors
    assert errors.splitlines()[-1] == f"Error: {SENTENCES[variable, value]}"


@pytest.mark.parametrize("value", ["", "0", "-3", "1.5", "many", "1025", "100000"])
def test_impossible_numbers_of_threads(value, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", value)
    with pytest.raises(UserError, match=f"NUMBA_NUM_THREADS is '{value}'; set it to a whole number from 1 to 1024"):
        load("cpu")
    assert load("reference").device == "reference"


@pytest.mark.parametrize("value", ["", "0"])
def test_compilation_that_is_not_disabled(value, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", value)
    numba_setup.check_variables()


@pytest.mark.parametrize(
    ("choice", "cure"),
    [
        ("tbb", "needs TBB, but TBB is not installed; run 'pip install tbb', or unset the variable."),
        ("safe", "needs TBB, but TBB is not installed; run 'pip install tbb', or unset the variable."),
        ("OMP", "needs OpenMP, but OpenMP is not installed; unset the variable."),
    ],
)
def test_a_layer_that_is_not_installed(choice, cure, monkeypatch):
    def fail():
        raise ValueError("No threading layer could be loaded.")

    monkeypatch.setattr(numba, "get_num_threads", fail)
    monkeypatch.setenv("NUMBA_THREADING_LAYER", choice)
    with pytest.raises(UserError) as caught:
        pool.layer()
    assert str(caught.value) == f"NUMBA_THREADING_LAYER is '{choice}', which {cure}"


def test_a_user_without_a_home(run):
    """The kernel that an error message would be about is compiled in memory."""
    variables = {"HOME": os.devnull, "XDG_CACHE_HOME": "", "NUMBA_CACHE_DIR": ""}
    code, _, errors = run("-c", "from fastdigits import ops; ops.run_test_kernel('cpu')", **variables)
    assert code == 0, errors
