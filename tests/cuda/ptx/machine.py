"""Run a compiled kernel: all threads of some blocks at a time."""

from collections import Counter
from collections.abc import Collection, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ptx import WARP
from ptx.code import Code, Group
from ptx.counts import count_sectors, count_wavefronts, kind_of
from ptx.memory import BARRIER, Memory, stamps_of
from ptx.opcodes import DTYPES
from ptx.program import Instruction

WINDOW_BITS = 40  # of addresses; each argument of a kernel has a window of its own
SECTOR = 32  # bytes
MAX_VISITS = 1_000_000  # of basic blocks by the threads that run together


class Violation(AssertionError):
    """A kernel has done what it must not do."""


class Argument(NamedTuple):
    """An array that a kernel is given: `nbytes` bytes of a memory, from `offset` on."""

    memory: Memory
    offset: int
    nbytes: int


class Place(NamedTuple):
    """Where a launch stands among others: only those of its own stream are in order with it by themselves.

    Parameters
    ----------
    stream : int
    after : int, optional
        Number of the last launch of another stream that is done before it.
    concurrent : dict of int to str
        Numbers and kernels of the earlier launches that need not be done before it.
    written : set of int
        The id of each memory that concurrent launches write, also later ones.
    """

    stream: int = 0
    after: int | None = None
    concurrent: dict[int, str] = {}
    written: Collection[int] = ()


class Wave:
    """Some blocks of a launch, whose threads run at the same time."""

    def __init__(self, launch: "Launch", blocks: np.ndarray):
        self.launch, self.code = launch, launch.code
        self.per_block = prod(launch.block)
        self.threads = len(blocks) * self.per_block
        self.number = (blocks[:, None] * self.per_block + np.arange(self.per_block)).reshape(-1)
        self.shared_bytes = -(-self.code.program.shared_bytes // 16) * 16
        self.shared = Memory(len(blocks) * self.shared_bytes, 4)
        self.divided = False  # whether threads outside of the current group are still to run
        self.instruction: Instruction | None = None
        self.registers = list(self.code.initial)
        for name, value in launch.registers.items():
            self._set(name, value)
        in_block, block = self.number % self.per_block, self.number // self.per_block
        self.stamps = stamps_of(launch.number, block, in_block)
        for name, sizes, number in (("tid", launch.block, in_block), ("ctaid", launch.grid, block)):
            for axis, size in zip("xyz", sizes, strict=True):
                self._set(f"%{name}.{axis}", (number % size).astype(np.uint32))
                self._set(f"%n{name}.{axis}", np.uint32(size))
                number = number // size

    def _set(self, name: str, value: Any) -> None:
        if name in self.code.places:
            self.registers[self.code.places[name]] = value

    def run(self) -> None:
        """Run all threads to their end: always those that are least advanced."""
        groups, waiting, visits = {0: Group(np.ones(self.threads, bool))}, {}, 0
        while groups:
            number = min(groups)
            group = groups.pop(number)
            self.divided = bool(groups or waiting)
            visits += 1
            if visits > MAX_VISITS:
                raise self.violation("does not end", 0)
            for next_, some in self._run_block(number, group):
                at_barrier = next_ < 0
                place = waiting if at_barrier else groups
                next_ = -next_ if at_barrier else next_
                place[next_] = Group(place[next_].mask | some.mask) if next_ in place else some
            if not groups and waiting:
                self._pass_barriers(waiting)
                groups, waiting = waiting, {}

    def _run_block(self, number: int, group: Group) -> list[tuple[int, Group]]:
        """Run a basic block. Return the blocks that follow, negative after a barrier, with the threads that go on."""
        program = self.code.program
        instructions = program.blocks[number]
        self.launch.visits[number] += group.warps
        for step in self.code.blocks[number]:
            self.instruction = step.instruction
            step.run(self, group)
        last = instructions[-1] if instructions else None
        opcode = last.opcode if last else "ret"
        if opcode in ("bar", "barrier"):
            return [(-(number + 1), group)]
        if opcode not in ("bra", "ret", "exit"):
            return [(number + 1, group)]
        jumping, staying = group, None
        if last and last.predicate:
            register, negated = last.predicate
            condition = self.registers[self.code.places[register]] ^ negated
            if np.ndim(condition):
                jumping, staying = Group(group.mask & condition), Group(group.mask & ~condition)
            elif not condition:
                jumping, staying = None, group
        follow = [(program.labels[last.operands[0]], jumping)] if opcode == "bra" else []
        return [(next_, some) for next_, some in (*follow, (number + 1, staying)) if some and some.mask.any()]

    def _pass_barriers(self, waiting: dict[int, Group]) -> None:
        """Let the blocks go on that wait at a barrier: all threads of a block must wait at the same one."""
        for next_, group in waiting.items():
            here = group.mask.reshape(-1, self.per_block)
            some = here.any(1)
            missing = some[:, None] & ~here
            if missing.any():
                self.instruction = self.code.program.blocks[next_ - 1][-1]
                raise self.violation("misses a barrier at which others of its block wait", int(np.argmax(missing)))
            self.stamps += BARRIER * np.repeat(some, self.per_block)

    # Memory

    def locate(
        self, space: str, addresses: np.ndarray, threads: np.ndarray | slice, size: int
    ) -> tuple[Memory, np.ndarray, np.ndarray]:
        """Return the memory at some addresses, the offsets there, and the stamps of the threads.

        Raises
        ------
        Violation
            If an address is out of bounds, or not a multiple of the `size` bytes that are accessed.
        """
        if int(np.bitwise_or.reduce(addresses)) & (size - 1):
            wrong = (addresses & np.uint64(size - 1)) != 0
            raise self.unsafe(f"accesses {size} bytes that are not aligned", addresses, threads, int(np.argmax(wrong)))
        if space == "shared":
            block = (np.arange(self.threads) // self.per_block)[threads]
            memory, first, last, base = self.shared, 0, self.code.program.shared_bytes, 0
        else:
            window = int(addresses[0]) >> WINDOW_BITS
            if not 0 < window <= len(self.launch.arguments):
                raise self.unsafe("is outside of all arrays", addresses, threads, 0)
            if int(addresses.max()) >> WINDOW_BITS in range(window + 1, len(self.launch.arguments) + 1):
                raise NotImplementedError("one instruction uses several arrays")
            argument, base = self.launch.arguments[window - 1], window << WINDOW_BITS
            memory, first = argument.memory, base + argument.offset
            last = first + argument.nbytes
        outside = int(addresses.min()) < first or int(addresses.max()) + size > last
        if outside:
            wrong = (addresses < np.uint64(first)) | (addresses + np.uint64(size) > np.uint64(last))
            raise self.unsafe("is outside of the array", addresses, threads, int(np.argmax(wrong)))
        at = (addresses - np.uint64(base)).view(np.int64)
        if space == "shared":
            at = at + block * self.shared_bytes
        return memory, at, self.stamps[threads]

    def reads_freely(self, space: str, address: np.uint64) -> bool:
        """Return whether a read cannot race, because no thread writes to the array at an address."""
        window = int(address) >> WINDOW_BITS
        return (
            space == "global"
            and 0 < window <= len(self.launch.arguments)
            and not self.launch.arguments[window - 1].memory.watched
        )

    def spread(self, found: np.ndarray, threads: np.ndarray | slice) -> np.ndarray:
        """Return an array with a number for each thread, those of `threads` given."""
        if isinstance(threads, slice):
            return found
        values = np.zeros(self.threads, found.dtype)
        values[threads] = found
        return values

    def unsafe(self, rule: str, addresses: np.ndarray, threads: np.ndarray | slice, which: int) -> Violation:
        """Return the error that a thread of some has broken a rule of memory."""
        thread = int(np.arange(self.threads)[threads][which])
        return self.violation(rule, thread, int(addresses[which]))

    def violation(self, rule: str, thread: int, address: int | None = None) -> Violation:
        """Return the error that a thread of this wave has broken a rule."""
        places = []
        rest = int(self.number[thread])
        rest, block = rest % self.per_block, rest // self.per_block
        for sizes, number in ((self.launch.block, rest), (self.launch.grid, block)):
            places.append((number % sizes[0], number // sizes[0] % sizes[1], number // sizes[0] // sizes[1]))
        where = f"thread {places[0]} of block {places[1]}"
        at = "" if address is None else f" at {self.launch.describe(address, self.instruction)}"
        line = f"line {self.instruction.line}, {self.instruction.text}" if self.instruction else "no line"
        return Violation(f"{self.launch.name}: {where} {rule}{at} ({line})")

    def count_access(self, kind: str, addresses: np.ndarray, group: Group, size: int) -> None:
        """Count the sectors of 32 bytes that the warps need, or how often banks of shared memory are used."""
        if not self.launch.counts_memory:
            return
        counts = self.launch.memory
        counts[f"{kind} requests"] += group.warps
        addresses = np.broadcast_to(addresses, self.threads)[group.threads]
        thread = np.arange(self.threads)[group.threads]
        if kind.startswith("global"):
            counts[f"{kind} sectors"] += count_sectors(thread, addresses)
            self.launch.touch(kind, addresses)
        else:
            counts[f"{kind} wavefronts"] += count_wavefronts(thread, addresses, size)


class Launch:
    """One launch of a kernel.

    Parameters
    ----------
    code : Code
    grid, block : tuple of int
    arguments : list of Argument and numbers
        In the order of the parameters.
    number : int
        Position among all launches.
    counts_memory : bool
        Whether to count sectors and bank conflicts, which takes long.
    place : Place, optional
        Among the launches of a graph; by default after all earlier launches.

    Attributes
    ----------
    instructions : Counter
        Warp instructions by kind, once the launch has run.
    memory : Counter
        "global load requests", "global load sectors", "shared store wavefronts" and the like.
    """

    def __init__(
        self,
        code: Code,
        grid: Sequence[int],
        block: Sequence[int],
        arguments: Sequence[Any],
        number: int,
        counts_memory: bool = False,
        place: "Place | None" = None,
    ):
        self.place = place or Place()
        program = code.program
        self.name, self.code, self.number, self.counts_memory = program.name, code, number, counts_memory
        self.grid, self.block = ((*sizes, 1, 1)[:3] for sizes in (grid, block))
        if code.unwritten_read:
            raise Violation(f"{self.name}: {code.unwritten_read}")
        assert prod(self.block) % WARP == 0
        assert program.threads is None or prod(self.block) <= program.threads, (
            f"{self.name} has too many threads in a block"
        )
        assert len(arguments) == len(program.parameters), f"{self.name} takes {len(program.parameters)} arguments"
        self.arguments: list[Argument] = []
        self.registers = {
            name: self._pass(argument, DTYPES[type_])
            for argument, (name, type_) in zip(arguments, program.parameters.items(), strict=True)
        }
        for argument in self.arguments:
            argument.memory.watched = id(argument.memory) in self.place.written
            argument.memory.stream, argument.memory.concurrent = self.place.stream, self.place.concurrent
            argument.memory.complete = argument.memory.complete or argument.memory.is_initialized()
        for (name, _), argument in zip(program.parameters.items(), arguments, strict=True):
            if isinstance(argument, Argument) and name in code.written:
                argument.memory.watched = True
        self.instructions: Counter[str] = Counter()
        self.memory: Counter[str] = Counter()
        self.visits: Counter[int] = Counter()  # of basic blocks, by warps
        self.touched: dict[tuple[str, int], np.ndarray] = {}  # which sectors of each argument are read and written

    def _pass(self, argument: Any, dtype: np.dtype) -> Any:
        """Return the register of a parameter."""
        if isinstance(argument, Argument):
            assert dtype == np.uint64, "an array is passed as a number"
            self.arguments.append(argument)
            return np.uint64((len(self.arguments) << WINDOW_BITS) + argument.offset)
        value = np.asarray(argument)[()]
        same = value.dtype.itemsize == dtype.itemsize and (value.dtype.kind == "f") == (dtype.kind == "f")
        assert same, f"a number of {value.dtype} is passed as {dtype}"
        return value.view(dtype)

    def touch(self, kind: str, addresses: np.ndarray) -> None:
        """Note the sectors at some addresses, each of which lies in the window of an argument."""
        window = int(addresses[0]) >> WINDOW_BITS
        if not 0 < window <= len(self.arguments):
            return  # which the access itself will report
        if (kind, window) not in self.touched:
            self.touched[kind, window] = np.zeros(self.arguments[window - 1].memory.nbytes // SECTOR + 1, bool)
        at = (addresses & np.uint64((1 << WINDOW_BITS) - 1)) // np.uint64(SECTOR)
        self.touched[kind, window][at[at < len(self.touched[kind, window])].view(np.int64)] = True

    @property
    def touched_bytes(self) -> int:
        """The size of all sectors that are read and of all that are written."""
        return SECTOR * sum(int(np.count_nonzero(touched)) for touched in self.touched.values())

    def describe(self, address: int, instruction: Instruction) -> str:
        """Return the address as the number of an argument and an offset in it."""
        window = address >> WINDOW_BITS
        if "shared" in instruction.words or not 0 < window <= len(self.arguments):
            return f"address {address:#x}"
        argument = self.arguments[window - 1]
        offset = address - (window << WINDOW_BITS) - argument.offset
        return f"byte {offset} of the {argument.nbytes} of array {window}"

    def run(self, threads: int) -> None:
        """Run all blocks, about `threads` threads at a time."""
        per_block, blocks = prod(self.block), prod(self.grid)
        several = max(1, threads // per_block)
        with np.errstate(all="ignore"):
            for first in range(0, blocks, several):
                Wave(self, np.arange(first, min(first + several, blocks))).run()
        for block, warps in self.visits.items():
            for instruction in self.code.program.blocks[block]:
                self.instructions[kind_of(instruction)] += warps
