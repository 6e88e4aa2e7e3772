"""The interpreter of PTX refuses what a GPU does not promise, and counts what a GPU would do."""

import numpy as np
import pytest
from ptx import machine
from ptx.code import Code
from ptx.machine import Launch, Violation
from ptx.probe import at, kernel, launch
from ptx.program import parse

STORE = "st.global.u32 [%rd9], %r10;"
SHARED = "mov.u64 %rd8, buffer; mad.wide.u32 %rd9, %r11, 4, %rd8;"  # the thread's own number in shared memory
OWN = "st.shared.u32 [%rd9]"
WARP = "shr.u32 %r1, %r10, 5; setp.eq.u32 %p1, %r1, 0;"  # whether the thread is in the first warp

RIGHT = {  # body, threads, blocks
    "each thread its own number": (f"{at('y', '%r10')} {STORE}", 64, 2),
    "a warp one number": (f"{at('y', '0')} st.global.u32 [%rd9], 7; ld.global.u32 %r2, [%rd9];", 32, 1),
    "a barrier between two threads": (
        f"{SHARED} st.shared.u32 [%rd9], %r10; bar.sync 0; ld.shared.u32 %r1, [%rd8+252]; {at('y', '%r10')} {STORE}",
        64,
        2,
    ),
    "a barrier orders global memory within a block": (
        f"{at('y', '%r10')} {STORE} bar.sync 0; ld.global.u32 %r1, [%rd_y+252];",
        64,
        1,
    ),
    "several read, one writes after a barrier": (
        f"{SHARED} {OWN}, 0; bar.sync 0; ld.shared.u32 %r1, [%rd8]; bar.sync 0; {OWN}, 1;",
        64,
        1,
    ),
    "a whole warp exchanges while another waits": (
        f"{WARP} @%p1 bra $wait; shfl.sync.bfly.b32 %r2|%p2, %r10, 1, 31, -1; $wait: bar.sync 0;",
        64,
        1,
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_programs_run(name):
    body, threads, blocks = RIGHT[name]
    launch(kernel(body, ["y"], 256), {"y": np.zeros(128, np.uint32)}, threads, blocks)


WRONG = {  # body, threads, blocks, what is wrong, thread, block
    "after the end": (f"{at('y', '%r10')} st.global.u32 [%rd9+4], 0;", 64, 2, "is outside of the array", 63, 1),
    "before the start": (f"{at('y', '%r10')} ld.global.u32 %r1, [%rd9+-4];", 64, 2, "is outside of", 0, 0),
    "no array": ("mov.u64 %rd9, 64; ld.global.u32 %r1, [%rd9];", 32, 1, "is outside of all arrays", 0, 0),
    "after shared memory": (f"{SHARED} st.shared.u32 [%rd9+132], 0;", 32, 1, "is outside of the array", 0, 0),
    "not aligned": (
        f"{at('y', '%r10', 16)} ld.global.v4.f32 {{%f1, %f2, %f3, %f4}}, [%rd9+4];",
        *(32, 1, "not aligned", 0, 0),
    ),
    "not aligned in shared memory": (f"{SHARED} st.shared.u64 [%rd9], 0;", 32, 1, "not aligned", 1, 0),
    "uninitialized": ("ld.global.u32 %r1, [%rd_new+124];", 32, 1, "reads uninitialized memory", 0, 0),
    "uninitialized shared memory": (f"{SHARED} ld.shared.u32 %r1, [%rd9];", 32, 1, "reads uninitialized memory", 0, 0),
    "shared memory of another thread": (
        f"{SHARED} st.shared.u32 [%rd9], 0; ld.shared.u32 %r1, [%rd8];",
        *(32, 1, "reads what another thread has written", 1, 0),
    ),
    "written after another read": (
        f"{SHARED} st.shared.u32 [%rd9], 0; bar.sync 0; ld.shared.u32 %r1, [%rd8+4]; st.shared.u32 [%rd9], 1;",
        *(32, 1, "writes what another thread has read", 1, 0),
    ),
    "two warps write one number": (f"{at('y', '0')} st.global.u32 [%rd9], 7;", 64, 1, "at the same time", None, 0),
    "two blocks write one number": (f"{at('y', '%r11')} st.global.u32 [%rd9], 7;", 32, 2, "at the same", None, None),
    "two blocks, one after the other": (
        f"{at('y', '%r11')} st.global.u32 [%rd9], 7;",
        *(32, 2, "writes what another thread has written", 0, 1),
    ),
    "a block reads what another writes": (
        f"{at('y', '%r10')} {STORE} bar.sync 0; ld.global.u32 %r1, [%rd_y];",
        *(32, 2, "reads what another thread has written", 0, 1),
    ),
    "lanes write different numbers": (f"{at('y', '0')} {STORE}", 32, 1, "another number than another lane", None, 0),
    "a barrier that a warp misses": (f"{WARP} @%p1 bra $end; bar.sync 0; $end:", 64, 1, "misses a barrier", 0, 0),
    "an early end before a barrier": (f"{WARP} @%p1 ret; bar.sync 0;", 64, 2, "misses a barrier", 0, 0),
    "two barriers": (f"{WARP} @%p1 bra $other; bar.sync 0; ret; $other: bar.sync 0;", 64, 1, "misses a barrier", 0, 0),
    "a shuffle without half of the lanes": (
        "setp.lt.u32 %p1, %r11, 16; @%p1 bra $end; shfl.sync.bfly.b32 %r2|%p2, %r10, 1, 31, -1; $end:",
        *(32, 1, "lanes that are absent", 16, 0),
    ),
    "a shuffle with a wrong mask": ("shfl.sync.bfly.b32 %r2|%p2, %r10, 1, 31, 65535;", 32, 1, "absent", 0, 0),
    "no end": ("$again: bra $again;", 32, 1, "does not end", 0, 0),
}  # fmt: skip


WRITTEN = {  # bodies whose registers are written on every way there, or not
    "mov.u32 %r1, 0; add.u32 %r2, %r1, %r10;": None,
    "add.u32 %r2, %r1, %r10;": "%r1",
    "st.global.u32 [%rd_y], %r2;": "%r2",
    "ld.global.u32 %r2, [%rd3+4];": "%rd3",
    "mov.u32 %r2, 0; st.global.v2.u32 [%rd_y], {%r2, %r3};": "%r3",
    "ld.global.v2.u32 {%r2, %r3}, [%rd_y]; add.u32 %r1, %r2, %r3;": None,
    "shfl.sync.bfly.b32 %r2|%p2, %r10, 1, 31, -1; @%p2 ret;": None,
    "@%p3 bra $end; $end:": "%p3",
    f"{WARP} @%p1 mov.u32 %r2, 0; add.u32 %r3, %r2, 1;": "%r2",
    f"{WARP} @%p1 bra $end; mov.u32 %r2, 0; $end: add.u32 %r3, %r2, 1;": "%r2",
    f"{WARP} @%p1 bra $two; mov.u32 %r2, 0; bra $end; $two: mov.u32 %r2, 1; $end: add.u32 %r3, %r2, 1;": None,
    f"{WARP} @%p1 bra $end; mov.u32 %r2, 0; add.u32 %r3, %r2, 1; $end:": None,
    f"$again: {WARP} add.u32 %r4, %r3, 1; mov.u32 %r3, %r4; @%p1 bra $again;": "%r3",
    f"mov.u32 %r3, 0; $again: {WARP} add.u32 %r4, %r3, 1; mov.u32 %r3, %r4; @%p1 bra $again;": None,
    "ret; add.u32 %r2, %r1, 1;": None,  # never runs
}


@pytest.mark.parametrize("body", WRITTEN)
def test_registers_are_written_before_they_are_read(body):
    """Whichever way the threads take: a GPU's registers hold what the last kernel has left."""
    register, code = WRITTEN[body], Code(parse(kernel(body, ["y"])))
    if register:
        assert f"reads register {register}, which is not written on every way there (line" in code.unwritten_read
        with pytest.raises(Violation, match=f"probe: reads register {register}"):
            launch(kernel(body, ["y"]), {"y": np.zeros(2, np.uint32)})
    else:
        assert code.unwritten_read is None


@pytest.mark.parametrize("name", WRONG)
def test_wrong_programs_are_refused(name, monkeypatch):
    monkeypatch.setattr(machine, "MAX_VISITS", 1000)
    body, threads, blocks, rule, thread, block = WRONG[name]
    shared = 128 if "after" in name else 256
    arrays = {"y": np.zeros(128, np.uint32), "new": np.zeros(128, np.uint32)}
    together = threads if "one after" in name else 1024
    with pytest.raises(Violation, match=rule) as error:
        launch(kernel(body, list(arrays), shared), arrays, threads, blocks, ["new"], together=together)
    said = str(error.value)
    assert said.startswith("probe: thread")
    if thread is not None:
        assert f"thread ({thread}, 0, 0) of block ({block}, 0, 0)" in said
    assert "line " in said


def test_a_violation_names_the_kernel_the_thread_the_address_and_the_line():
    text = kernel(f"{at('y', '%r10')}\n{STORE}", ["x", "y"])
    with pytest.raises(Violation) as error:
        launch(text, {"x": np.zeros(2, np.uint32), "y": np.zeros(40, np.uint32)}, 32, 2)
    line = 1 + text.splitlines().index(STORE)
    instruction = f"line {line}, {STORE.rstrip(';')}"
    expected = (
        f"thread (8, 0, 0) of block (1, 0, 0) is outside of the array at byte 160 of the 160 of array 2 ({instruction})"
    )
    assert str(error.value) == f"probe: {expected}"


def test_arguments_must_be_those_of_the_program():
    code = Code(parse(kernel("", ["x"])))
    for arguments in ([], [np.int32(1)], [np.int64(1), np.int64(1)]):
        with pytest.raises(AssertionError):
            Launch(code, (1,), (32,), arguments, 1)


def counts_of(body, threads=64, shared=4096):
    y = np.zeros(4096, np.uint32)
    done = launch(kernel(body, ["y"], shared), {"y": y}, threads, counts_memory=True)
    empty = launch(kernel("", ["y"], shared), {"y": y}, threads)
    return dict(done.instructions - empty.instructions + done.memory)


def test_warp_instructions_are_counted_by_kind():
    """Each of the two warps runs the loop as often as its lane with the largest number: 31 and 63 times."""
    body = """
        fma.rn.f32 %f1, 0f00000000, 0f00000000, 0f00000000;
        add.s64 %rd1, %rd10, 1;
        mov.u32 %r1, 0;
        $loop:
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p1, %r1, %r10;
        @%p1 bra $loop;"""
    turns = 31 + 63
    loop = {"integer": turns, "compare": turns, "branch": turns}
    assert counts_of(body) == {"fma": 2, "integer64": 2, "move": 2, **loop}


@pytest.mark.parametrize(
    ("address", "sectors"),
    [
        (at("y", "%r10"), 4),  # 128 bytes in a row
        (at("y", "0"), 1),
        (at("y", "%r10", 32), 32),
        (at("y", "%r10", 8), 8),
    ],
)
def test_sectors_are_counted(address, sectors):
    counts = counts_of(f"{address} ld.global.u32 %r1, [%rd9];")
    assert (counts["global load requests"], counts["global load sectors"]) == (2, 2 * sectors)


@pytest.mark.parametrize(
    ("stride", "type_", "wavefronts"),
    [(4, "u32", 1), (0, "u32", 1), (8, "u32", 2), (128, "u32", 32), (132, "u32", 1), (8, "u64", 2), (16, "v4.u32", 4)],
)
def test_bank_conflicts_are_counted(stride, type_, wavefronts):
    values = {"u32": "%r13", "u64": "%rd10", "v4.u32": "{%r13, %r13, %r13, %r13}"}[type_]
    address = f"mov.u64 %rd8, buffer; mad.wide.u32 %rd9, %r11, {stride}, %rd8;"
    body = f"{address} st.shared.{type_} [%rd9], {values};"
    assert counts_of(body, threads=32, shared=8192)["shared store wavefronts"] == wavefronts
