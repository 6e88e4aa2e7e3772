"""Faults that are put into the PTX of real kernels are found: by a check of the interpreter, or by wrong numbers."""

import re
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import pytest

from fastdigits.check import cases
from fastdigits.ops import load

pytestmark = pytest.mark.slow

CALLS = {}  # the first call of each operation
for _call in cases.calls(32, few=True):
    CALLS.setdefault(_call.op, _call)
CALLS |= {call.op: call for call in cases._dense(32, 33, 260, 258)}  # its weights can be loaded 16 bytes at a time

END_OF_SOME = "setp.eq.u32 %p99, %r99, 0; @%p99 ret;"


class Mutant(NamedTuple):
    """A fault: `pattern` is replaced in the kernels of an operation whose names match `kernel`."""

    op: str
    pattern: str
    replacement: str
    found: str  # by this sentence of a violation, or by "numbers"
    kernel: str = ""
    count: int = 1


MUTANTS = {
    "no guard against the end of an array": Mutant("relu_forward", r"@%p1 bra[^;]*;", "", "outside of the array"),
    "a guard that lets one vector too many pass": Mutant(
        "momentum_step", r"setp\.ge\.s64(\s+%p1)", r"setp.gt.s64\1", "outside of the array"
    ),
    "a store one element too far": Mutant(
        "momentum_step", r"(st\.global\.f32\s+\[%rd\d+)\]", r"\1+4]", "outside of the array"
    ),
    "a load one element too early": Mutant("relu_forward", r"(ld\.global\.f32[^\]]*)\]", r"\1+-4]", "outside of"),
    "elements of 8 bytes instead of 4": Mutant("relu_forward", r"(mul\.wide\.s32.*), 4;", r"\1, 8;", "outside of the"),
    "the array of another parameter": Mutant("relu_forward", r"_param_0\]", "_param_2]", "numbers"),
    "the length of another array": Mutant(
        "gather_batch", r"setp\.gt\.s64(.*), 36;", r"setp.gt.s64\1, 39;", "outside of"
    ),
    "all blocks write what the first writes": Mutant(
        "relu_forward", r"mov\.u32(\s+%r\d+), %ctaid\.x;", r"mov.u32\1, 0;", "at the same time"
    ),
    "all warps write what the first writes": Mutant(
        "relu_forward", r"mov\.u32(\s+%r\d+), %tid\.y;", r"mov.u32\1, 0;", "at the same time"
    ),
    "a load of 16 bytes that is not aligned": Mutant(
        "dense_forward", r"(ld\.global\.v4\.f32[^\[]*\[%rd\d+)[^\]]*\]", r"\1+4]", "not aligned"
    ),
    "no barrier before shared memory is read": Mutant(
        "dense_forward", r"bar\.sync\s+0;", "", "another thread has written"
    ),
    "no barrier, the sum of float64 numbers": Mutant("accumulate", r"bar\.sync\s+0;", "", "another thread has written"),
    "threads that end before a barrier": Mutant(
        "dense_forward", r"(bar\.sync\s+0;)", r"mov.u32 %r99, %tid.y; " + END_OF_SOME + r" \1", "misses a barrier"
    ),
    "a barrier in a branch": Mutant(
        "batchnorm_forward",
        *(r"(bar\.sync\s+0;)", r"mov.u32 %r99, %tid.y; setp.eq.u32 %p99, %r99, 0; @%p99 bra $other; \1 $other:"),
        "misses a barrier|another thread has written",
    ),
    "shared memory that nobody writes": Mutant("accumulate", r"st\.shared[^;]*;", "", "reads uninitialized memory"),
    "memory of the GPU that nobody writes": Mutant(
        "conv2d_backward_weight", r"st\.global[^;]*;", "", "reads uninitialized memory", "conv2d_backward_weight", 0
    ),
    "a register that nobody writes": Mutant(
        "relu_forward", r"mov\.u32\s+%r\d+, %tid\.x;", "", "reads register %r\\d+, which is not written"
    ),
    "a register that only some threads write": Mutant(
        "dense_forward", r"(mov\.f32\s+%f\d+, 0f0{8};)", r"setp.eq.u32 %p99, 0, 0; @%p99 \1", "reads register %f"
    ),
    "lanes that end before a shuffle": Mutant(
        "clip_norm", r"(shfl\.sync)", r"mov.u32 %r99, %tid.x; " + END_OF_SOME + r" \1", "absent", "_squares"
    ),
    "a shuffle of half of the lanes": Mutant(
        "clip_norm", r"(shfl\.sync\.bfly[^;]*), [^,;]+;", r"\1, 65535;", "absent", "_squares"
    ),
    "the distance of a shuffle": Mutant(
        "clip_norm", r"(shfl\.sync\.bfly\S+\s+[^,]+, [^,]+), [^,]+,", r"\1, 3,", "another number than", "_squares"
    ),
    "a comparison with sign instead of without": Mutant(
        "conv2d_forward", r"setp\.(le|lt|ge|gt)\.u32", r"setp.\1.s32", "outside of|numbers", count=0
    ),
    "a negative coordinate without its sign": Mutant(
        "augment_batch", r"cvt\.rzi\.s32\.f32", "cvt.rzi.u32.f32", "outside of|numbers", count=0
    ),
    "a sum that does not start at 0": Mutant(
        "dense_forward", r"(mov\.f32\s+%f\d+), 0f0{8};", r"\1, 0f3F800000;", "numbers", count=0
    ),
    "the operands of a selection swapped": Mutant(
        "relu_forward", r"(selp\.f32\s+%f\d+), ([^,]+), ([^,]+),", r"\1, \3, \2,", "numbers"
    ),
    "an addend forgotten": Mutant("momentum_step", r"fma(.*), %f\d+;", r"fma\1, 0f00000000;", "numbers"),
    "bytes read with a sign": Mutant("gather_batch", r"ld\.global\.u8(.*)", r"ld.global.s8\1", "numbers"),
    "a loop that skips every other turn": Mutant(
        "dense_forward", r"(add\.s64\s+%rd\d+, %rd\d+), 128;", r"\1, 256;", "numbers", count=0
    ),
}


@pytest.mark.parametrize("op", sorted({mutant.op for mutant in MUTANTS.values()}))
def test_without_a_fault_nothing_is_found(gpu, checks, op):
    checks.check(getattr(load("cuda"), op), getattr(load("reference"), op), CALLS[op], load("cuda"))


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("read", [lambda ops, y: ops.download(y), lambda ops, y: ops.unpack(y, np.empty((40, 3)))])
def test_results_that_no_kernel_writes_are_found_when_the_host_reads_them(interpreted, read, missing):
    """The warp of the last vector writes nothing. The numbers in its memory may look right."""
    from ptx.machine import Violation

    def alter(text: str) -> str:
        return re.sub(r"(setp\.g[et]\.s64\s+%p1, %rd\d+), (\S+);", r"add.s64 %rd99, \2, -1; \1, %rd99;", text)

    with interpreted() as gpu:
        gpu.alter = alter if missing else str
        ops = load("cuda")
        x, y = ops.zeros((2, 3, 32)), ops.empty((2, 3, 32))
        ops.relu_forward(x.reshape(6, 32), y.reshape(6, 32))
        with pytest.raises(Violation, match="uninitialized memory") if missing else nullcontext():
            read(ops, y)


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found(checks, interpreted, name):
    from ptx.machine import Violation

    mutant = MUTANTS[name]
    changes = []

    def alter(text: str) -> str:
        if mutant.kernel not in re.search(r"\.entry (\w+)", text)[1]:
            return text
        start = text.index("{\n")
        body, number = re.subn(mutant.pattern, mutant.replacement, text[start:], count=mutant.count)
        changes.append(number)
        return text[:start] + body

    with interpreted() as gpu:
        gpu.alter = alter
        cuda = load("cuda")
        with pytest.raises(AssertionError) as error:
            checks.check(getattr(cuda, mutant.op), getattr(load("reference"), mutant.op), CALLS[mutant.op], cuda)
    assert sum(changes) > 0, "the kernel has no longer what is to be changed"
    found = str(error.value) if error.errisinstance(Violation) else "numbers"
    assert re.search(mutant.found, found), found
