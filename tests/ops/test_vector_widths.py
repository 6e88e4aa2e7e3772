"""The operations of the CPU compiled for other vector units than that of this machine."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import fastdigits
from fastdigits.ops.lanes import tiling, vector_unit

AVX2 = "+avx2,+avx,+fma,+sse4.2,+sse4.1,+ssse3,+sse3,+sse2,+popcnt,+bmi,+bmi2,+f16c,+lzcnt,-avx512f"
UNITS = {
    8: {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": AVX2},
    4: {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
}

x86_64 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="other vector units of x86-64 need an x86-64 CPU"
)


@pytest.fixture(scope="module")
def parity_checks():
    """Processes that run the parity check at every other width that this CPU supports."""
    script = str(Path(__file__).parents[1] / "helpers" / "parity_check.py")
    started = {lanes: _start([script], lanes) for lanes in UNITS if _has(lanes) and lanes != vector_unit.LANES}
    yield started
    for process in started.values():
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.mark.slow
@x86_64
@pytest.mark.parametrize("lanes", UNITS)
def test_agrees_with_definition(parity_checks, lanes):
    if not _has(lanes):
        pytest.skip("this CPU has no AVX2 and FMA")
    if lanes == vector_unit.LANES:
        pytest.skip("the other tests run at this width")
    output, _ = parity_checks[lanes].communicate()
    assert parity_checks[lanes].returncode == 0, output
    first, *results = output.splitlines()
    assert first == f"{lanes} lanes"
    assert len(results) > 30
    assert all(line.endswith(" agrees") for line in results)


@x86_64
def test_each_unit_has_its_own_entries_in_one_cache(tmp_path):
    """Code compiled for one vector unit is loaded for that unit only."""
    program = """
from fastdigits.ops import load
ops = load("cpu")
x, y = ops.zeros((1, ops.lanes)), ops.empty((1, ops.lanes))
ops.relu_forward(x, y)
assert not y.any()
"""
    compiled = []
    for unit in (None, 4, 4, None):
        process = _start(["-c", program], unit, XDG_CACHE_HOME=str(tmp_path))
        output, _ = process.communicate()
        assert process.returncode == 0, output
        compiled.append(len(list(tmp_path.rglob("activation*.kernel"))))
    assert compiled == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("features", "processor", "expected"),
    [
        ({"sse2", "avx", "avx2", "avx512f"}, "x86_64", (16, 32)),
        ({"sse2", "avx", "avx2"}, "AMD64", (8, 16)),
        ({"sse2"}, "x86_64", (4, 16)),
        ({"neon"}, "aarch64", (4, 32)),
        ({"neon"}, "arm64", (4, 32)),
        (set(), "riscv64", (4, 16)),
    ],
)
def test_vector_unit(features, processor, expected):
    assert vector_unit.vector_unit(features, processor) == expected


@pytest.mark.parametrize("rows", [1, 2, 3, 6, 13, 100, 784])
@pytest.mark.parametrize("columns", [1, 3, 5, 7, 28])
def test_tile_fits_the_registers(rows, columns):
    """All sums, one row of vectors and their factor fit the registers at once."""
    N, M = tiling.tile_shape(rows, columns)
    assert N * M + M + 1 <= vector_unit.REGISTERS


@pytest.mark.parametrize("rows", [4, 8, 16, 24, 32, 80])
@pytest.mark.parametrize("columns", [1, 2, 3, 8, 16])
def test_tiles_divide_a_strip_and_fit_the_registers(rows, columns):
    N, M = tiling.strip_tile(rows, columns)
    assert rows % N == 0
    assert N * M + M + 1 <= vector_unit.REGISTERS


@pytest.mark.parametrize("columns", [1, 2, 11, 50, 98])
@pytest.mark.parametrize("threads", [1, 2, 7, 64])
def test_strips_give_each_thread_work(columns, threads):
    M = tiling.strip_columns(columns, threads)
    assert tiling.most_rows(M) * M + M + 1 <= vector_unit.REGISTERS
    assert tiling.most_rows(M) >= 5
    assert M == 1 or -(-columns // M) >= min(threads, columns // 2)


@pytest.mark.parametrize("taps", [1, 9, 25, 800])
@pytest.mark.parametrize("columns", [1, 3, 7, 26])
@pytest.mark.parametrize("channels", [1, 2, 5, 64])
def test_forward_tile_fits_the_registers_and_the_output(channels, columns, taps):
    N, M = tiling.forward_tile(channels, columns, taps)
    assert N * M + M + 1 <= vector_unit.REGISTERS
    assert channels >= N  # tiles overlap instead of reaching beyond the output
    assert columns >= M


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 7, 11, 28])
@pytest.mark.parametrize("channels", [1, 3, 6, 64])
def test_gradient_tiles_fit_the_registers(channels, columns):
    """All sums, a vector for each channel or column, and one more, fit the registers at once."""
    N, M = tiling.weight_gradient_tile(channels, columns)
    assert N * M + N + 1 <= vector_unit.REGISTERS
    assert 1 <= M <= columns
    N, M = tiling.input_gradient_tile(channels)
    assert N * M + M + 1 <= vector_unit.REGISTERS


def _has(lanes: int) -> bool:
    """Return whether this CPU can run code for a vector unit of `lanes` lanes."""
    return lanes == 4 or {"avx2", "fma"} <= vector_unit.cpu_features()


def _start(arguments: list[str], lanes: int | None, **environment: str) -> subprocess.Popen:
    """Start Python with this package, for a vector unit of `lanes` lanes or for that of this machine."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    package = str(Path(fastdigits.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        env={**inherited, "PYTHONPATH": package, **UNITS.get(lanes, {}), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
