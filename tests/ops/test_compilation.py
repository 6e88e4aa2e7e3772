"""The count of compiled kernels, and the line that shows it."""

import inspect
import io
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba import njit, prange

from fastdigits.ops import load
from fastdigits.ops.fused import cpu as fused
from fastdigits.ops.lanes.vector_unit import LANES
from fastdigits.ops.runtime import code_library, compilation
from fastdigits.ops.runtime.numba_cache import cached
from fastdigits.ops.runtime.rehearsal import CannotRehearse, Rehearsal, planned


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    """An empty folder for kernels, and nothing compiled so far."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    for name in ("_STARTED", "_PLANNED"):
        monkeypatch.setattr(compilation, name, {})
    monkeypatch.setattr(compilation, "_FINISHED", set())


@pytest.fixture
def kernels():
    """kernels() is two functions with nothing compiled, which add 1 and 2 to an array."""

    def kernels():
        @cached
        @njit
        def add_one(x):
            x += 1

        @cached
        @njit
        def add_two(x):
            x += 2

        return add_one, add_two

    return kernels


def test_planned_kernels_are_counted_and_do_not_run(kernels):
    x = np.zeros(3)
    with compilation.planning():
        for kernel in (*kernels(), *kernels()):
            kernel(x)
    assert x.tolist() == [0, 0, 0]
    assert compilation.counts() == (0, 2)
    add_one, add_two = kernels()
    add_one(x)
    assert compilation.counts() == (1, 2)
    add_two(x)
    assert compilation.counts() == (2, 2)
    assert x.tolist() == [3, 3, 3]


def test_cached_kernels_are_not_planned(kernels):
    kernels()[0](np.zeros(3))
    add_one, add_two = kernels()
    with compilation.planning():
        add_one(np.zeros(3))
    assert compilation.counts() == (1, None)
    with compilation.planning():
        add_two(np.zeros(3))
    assert compilation.counts() == (1, 2)


def test_the_number_is_unknown_while_a_kernel_is_compiled_that_is_not_planned(tmp_path):
    with compilation.planning():
        compilation.plan(tmp_path / "planned.kernel")
    assert compilation.counts() == (0, 1)
    compilation.start(tmp_path / "other.kernel")
    assert compilation.counts() == (0, None)
    compilation.finish(tmp_path / "other.kernel")
    assert compilation.counts() == (1, 2)


def test_kernels_of_other_threads_run_while_one_plans(kernels):
    x, add_one = np.zeros(3), kernels()[0]
    with compilation.planning():
        with ThreadPoolExecutor() as threads:
            threads.submit(add_one, x).result()
        assert x.tolist() == [1, 1, 1]
        assert compilation.is_planning()


def call_all(kernels):
    """Call kernels, which add 3 to an array, and return it."""
    x = np.zeros(1)
    for kernel in kernels:
        kernel(x)
    return x


def test_the_kernels_of_a_block_are_planned_once_with_the_first(kernels):
    seen = []

    def plan():
        seen.append(compilation.counts())
        with compilation.planning():
            call_all(kernels())

    with compilation.Planned(plan), compilation.Planned(lambda: pytest.fail("the outer block has all kernels")):
        add_one, add_two = kernels()
        assert seen == []
        add_one(np.zeros(3))
        assert seen == [(0, None)]
        assert compilation.counts() == (1, 2)
        add_two(np.zeros(3))
    assert compilation.counts() == (2, 2)
    assert len(seen) == 1


def test_no_plan_is_made_if_all_kernels_are_cached(kernels):
    call_all(kernels())
    with compilation.Planned(lambda: pytest.fail("nothing is compiled")):
        assert call_all(kernels()) == 3


def test_kernels_that_a_block_has_not_compiled_are_forgotten_after_it(kernels):
    def plan():
        with compilation.planning():
            call_all(kernels())

    with compilation.Planned(plan):
        kernels()[0](np.zeros(3))
        assert compilation.counts() == (1, 2)
    assert compilation.counts() == (1, 1)


def test_work_goes_on_without_a_total_if_its_rehearsal_fails(kernels):
    def rehearse(rehearsal):
        call_all(kernels())
        raise ZeroDivisionError

    with planned(rehearse):
        assert call_all(kernels()) == 3
        assert compilation.counts() == (2, None)


@pytest.mark.parametrize(("device", "custom"), [("reference", False), ("cpu", True)])
def test_other_devices_and_custom_code_are_not_rehearsed(device, custom):
    with pytest.raises(CannotRehearse):
        Rehearsal().defer(load(device), custom)


@pytest.mark.parametrize(("plan", "lines"), [(True, ["1 of 2", "2 of 2"]), (False, ["number 1", "number 2"])])
def test_the_line_says_which_kernel_of_how_many(plan, lines, kernels, monkeypatch):
    monkeypatch.setattr(compilation, "QUIET_S", 0.0)
    monkeypatch.setattr(compilation, "REDRAW_S", 0.0)
    if plan:
        with compilation.planning():
            for kernel in kernels():
                kernel(np.zeros(3))
    seen = []
    with compilation.shown(lambda line, last: seen.append((line, last))):
        for kernel in kernels():
            kernel(np.zeros(3))
    assert list(dict.fromkeys(seen)) == [*((f"compiling kernels, once: {line}", False) for line in lines), ("", True)]


def test_nothing_is_shown_if_all_kernels_are_cached_or_compile_quickly(kernels, monkeypatch):
    shown = []
    monkeypatch.setattr(compilation, "QUIET_S", 1e9)
    with compilation.shown(lambda *line: shown.append(line)):
        kernels()[0](np.zeros(3))
    monkeypatch.setattr(compilation, "QUIET_S", 0.0)
    with compilation.shown(lambda *line: shown.append(line)):
        kernels()[0](np.zeros(3))
    assert shown == []


def test_a_pipe_gets_a_line_every_few_seconds(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    line = compilation.Line()
    for number in range(3):
        line(f"kernel {number}", False)
    line("", True)
    assert sys.stderr.getvalue() == "kernel 0\n"


def test_a_terminal_shows_one_line_that_disappears(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    line, said = compilation.Line(lambda text: pytest.fail(text)), sys.stderr
    line("kernel 10", False)
    line("kernel 9", False)
    line("", True)
    assert said.getvalue() == "\rkernel 10\rkernel 9 \r         \r"


def test_only_functions_are_optimized_alone(monkeypatch):
    """Numba optimizes the bodies of parallel loops and their wrappers, too; if this changes, simplify code_library."""
    optimized = []
    optimize = code_library.LinkedLibrary._optimize_final_module
    monkeypatch.setattr(
        code_library.LinkedLibrary,
        "_optimize_final_module",
        lambda self: (optimized.append(self.name), optimize(self)),
    )

    def square(x):
        for i in prange(len(x)):
            x[i] *= x[i]

    x = np.arange(100.0)
    cached(njit(parallel=True)(square))(x)
    assert x.tolist() == [i * i for i in range(100)]
    assert any("square" in name for name in optimized)
    assert not any("wrapper" in name.lower() or name.startswith(code_library.LOOP) for name in optimized)
    x = np.arange(100.0)
    njit(parallel=True)(square)(x)  # a function of somebody else
    assert x.tolist() == [i * i for i in range(100)]


def test_only_kernels_become_machine_code(monkeypatch):
    """What a kernel calls is only linked into it."""
    translated = []
    translate = code_library.LinkedLibrary._finalize_specific
    monkeypatch.setattr(
        code_library.LinkedLibrary,
        "_finalize_specific",
        lambda self: (translated.append(self.name), translate(self)),
    )
    only_linked = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

    @njit(**only_linked)
    def square(v):
        return v * v

    @njit
    def negative(v):
        return -v

    def kernel(x):
        for i in prange(len(x)):
            x[i] = negative(square(x[i]) + np.empty(3).size)

    x = np.arange(100.0)
    cached(njit(parallel=True)(kernel))(x)
    assert x.tolist() == [-i * i - 3 for i in range(100)]
    assert [name.rpartition(".")[2].partition("_")[0] for name in translated] == ["negative", "kernel"]
    assert negative(2.0) == -2  # Python can call it
    x = np.arange(3.0)
    njit(lambda x: square(x[2]))(x)  # a function of somebody else


def test_a_parallel_kernel_from_the_cache_is_the_same(kernels):
    def fill(x):
        for i in prange(len(x)):
            x[i] = i

    for _ in range(2):
        x, kernel = np.zeros(50), cached(njit(parallel=True)(fill))
        kernel(x)
        assert x.tolist() == list(range(50))
    assert sum(kernel.stats.cache_hits.values()) == 1


def test_parallel_loops_do_not_wait_for_threads_that_run_python():
    """Numba acquires the GIL before and after a loop: each takes a switch interval while another thread has it."""

    def count(x, y):
        y[0] = -1  # it has begun
        total = 0.0
        for i in range(300_000_000):  # long enough for the main thread to hold the lock until the end
            total += x[i % len(x)]
        for i in prange(len(y)):
            y[i] = total

    kernel = cached(njit(parallel=True, nogil=True)(count))
    kernel(np.zeros(3), np.zeros(100))
    y, before = np.zeros(100), sys.getswitchinterval()
    with ThreadPoolExecutor(1) as thread:
        ends = thread.submit(kernel, np.ones(3), y)
        deadline = time.monotonic() + 10
        while y[0] == 0 and time.monotonic() < deadline:
            pass
        sys.setswitchinterval(60)
        try:
            while y[-1] == 0 and time.monotonic() < deadline:
                pass
            assert y[-1] == 300_000_000
        finally:
            sys.setswitchinterval(before)
        ends.result()


def test_tiles_of_pooled_convolutions_are_inlined():
    """LLVM alone calls them, with all arguments in memory, which takes longer than a tile of one channel."""
    B, H, L = 2, 6, LANES
    x, weight, bias = np.ones((B, 1, H, H, L), "f4"), np.ones((6, 1, 5, 5), "f4"), np.ones(6, "f4")
    y, pool_mask = np.empty((B, 6, H // 2, H // 2, L), "f4"), np.empty((B, 6, H // 2, H // 2, L), "u1")
    convolve = fused._conv2d_pool.__wrapped__(2, 5, 1, 1, 1)
    convolve(x, weight, bias, 2, 2, y, pool_mask)
    assert y[0, :, 1, 1].tolist() == [[26.0] * L] * 6
    kernel = inspect.getclosurevars(convolve).nonlocals["kernel"]
    [compiled] = kernel.overloads.values()
    called = re.findall(r"\bcall\b[^(]*@\"?([^\"(]*)", compiled.library.get_llvm_str())
    assert any("NRT_" in name for name in called)  # calls are found
    assert not any("forward_pool_tile" in name for name in called)
