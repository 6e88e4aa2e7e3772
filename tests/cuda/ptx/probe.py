"""Run small kernels that are written in PTX by hand."""

from collections.abc import Sequence

import numpy as np

from ptx.code import Code
from ptx.machine import Argument, Launch
from ptx.memory import Memory
from ptx.program import parse

DECLARED = {"pred": "%p", "b16": "%rs", "b32": "%r", "b64": "%rd", "f32": "%f", "f64": "%fd"}
START = "mov.u32 %r11, %tid.x; mov.u32 %r12, %ctaid.x; mov.u32 %r13, %ntid.x; mad.lo.u32 %r10, %r12, %r13, %r11;"


def kernel(body: str, arrays: Sequence[str] = (), shared_bytes: int = 0) -> str:
    """Return the text of the kernel `probe`, which takes arrays by name.

    At the start of the body, %r10 is the number of the thread in the grid, and %rd_name is the address of an array.
    """
    declared = " ".join(f".reg .{type_} {letters}<20>;" for type_, letters in DECLARED.items())
    loads = " ".join(f"ld.param.u64 %rd{10 + n}, [{name}];" for n, name in enumerate(arrays))
    for n, name in enumerate(arrays):
        body = body.replace(f"%rd_{name}", f"%rd{10 + n}")
    return (
        f".shared .align 16 .b8 buffer[{shared_bytes}];\n.visible .entry probe("
        + ", ".join(f".param .u64 {name}" for name in arrays)
        + f")\n{{\n{declared} {loads} {START}\n{body}\nret;\n}}\n"
    )


def at(array: str, index: str, itemsize: int = 4) -> str:
    """Return the PTX that puts the address of an element into %rd9."""
    return f"mad.wide.u32 %rd9, {index}, {itemsize}, %rd_{array};"


def launch(
    text: str,
    arrays: dict[str, np.ndarray],
    threads: int = 32,
    blocks: int = 1,
    uninitialized: Sequence[str] = (),
    counts_memory: bool = False,
    together: int = 1024,
) -> Launch:
    """Run a kernel, which changes the arrays, about `together` threads at a time. Return the launch."""
    arguments = []
    for name, array in arrays.items():
        memory = Memory(array.nbytes, array.itemsize)
        memory.bytes[: array.nbytes] = array.reshape(-1).view(np.uint8)
        memory.initialized[: array.nbytes] = name not in uninitialized
        arguments.append(Argument(memory, 0, array.nbytes))
    done = Launch(Code(parse(text)), (blocks,), (threads,), arguments, 1, counts_memory)
    done.run(together)
    for array, argument in zip(arrays.values(), arguments, strict=True):
        array[...] = argument.memory.array(array.shape, array.dtype)
    return done
