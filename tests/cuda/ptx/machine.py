"""Run a parsed kernel: all threads of some blocks at a time, each instruction as one operation of NumPy."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ptx.memory import Memory, Unsafe
from ptx.opcodes import DTYPES, arithmetic
from ptx.program import Instruction, Program, written_parameters

WARP = 32
WINDOW_BITS = 40  # of addresses; each argument of a kernel has a window of its own
MAX_VISITS = 1_000_000  # of basic blocks by the threads that run together
SPECIAL = {f"%{name}.{axis}" for name in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz"}


class Violation(AssertionError):
    """A kernel has done what it must not do."""


class Argument(NamedTuple):
    """An array that a kernel is given: `nbytes` bytes of a memory, from `offset` on."""

    memory: Memory
    offset: int
    nbytes: int


class Group:
    """Threads that are at the same instruction; the others are masked out."""

    def __init__(self, mask: np.ndarray):
        self.mask = mask

    @cached_property
    def threads(self) -> np.ndarray | slice:
        """The index of the threads."""
        return slice(None) if self.mask.all() else np.flatnonzero(self.mask)

    @cached_property
    def first(self) -> np.ndarray:
        """The index of one thread."""
        return np.array([np.argmax(self.mask)])

    @cached_property
    def warps(self) -> int:
        """The number of warps with a thread in the group."""
        return int(np.count_nonzero(self.mask.reshape(-1, WARP).any(1)))


class Step(NamedTuple):
    """A compiled instruction."""

    instruction: Instruction
    run: Callable[["Wave", Group], None]
    kind: str  # for counting


class Code:
    """A compiled program: what each basic block does, with registers as places in a list.

    Attributes
    ----------
    initial : list
        The registers at the start. Constants have registers, too.
    """

    def __init__(self, program: Program):
        self.program = program
        self.initial: list[Any] = []
        self.places: dict[str, int] = {}
        self.written = written_parameters(program)
        self.blocks = [[self._step(one) for one in block if one.opcode != "bra"] for block in program.blocks]

    # Operands

    def place(self, operand: str, type_: str) -> tuple[int, np.dtype]:
        """Return the register of an operand that an instruction uses as `type_`, and the type of the register."""
        if operand in self.program.shared:
            return self._constant(self.program.shared[operand], DTYPES[type_])
        if operand in self.program.parameters:
            dtype = DTYPES[self.program.parameters[operand]]
        elif operand in SPECIAL:
            dtype = DTYPES["u32"]
        elif operand.startswith("%"):
            dtype = _stored(DTYPES[self.program.types[operand.rstrip("0123456789")]])
        else:
            return self._constant(_literal(operand, DTYPES[type_]), DTYPES[type_])
        if operand not in self.places:
            self.places[operand] = len(self.initial)
            self.initial.append(dtype.type(0))
        return self.places[operand], dtype

    def _constant(self, value: Any, dtype: np.dtype) -> tuple[int, np.dtype]:
        self.initial.append(dtype.type(value))
        return len(self.initial) - 1, dtype

    def source(self, operand: str, type_: str) -> Callable[[list], Any]:
        """Return the function that reads an operand as `type_` from the registers."""
        place, stored = self.place(operand, type_)
        wanted = DTYPES[type_]
        if stored == wanted:
            return lambda registers: registers[place]
        if stored.itemsize == wanted.itemsize:
            return lambda registers: registers[place].view(wanted)
        return lambda registers: registers[place].astype(f"u{wanted.itemsize}").view(wanted)

    def target(self, operand: str, type_: str) -> Callable[["Wave", Group, Any], None]:
        """Return the function that sets a register to a number of `type_`, extended as its sign says."""
        place, stored = self.place(operand.partition("|")[0], type_)
        given = DTYPES[type_]

        def assign(wave: "Wave", group: Group, value: Any) -> None:
            if stored != given:
                value = value if stored.itemsize == given.itemsize else value.astype(f"u{stored.itemsize}")
                value = value.view(stored)
            if wave.divided:  # else the other threads have ended
                value = np.where(group.mask, value, wave.registers[place])
            wave.registers[place] = value

        return assign

    # Instructions

    def _step(self, instruction: Instruction) -> Step:
        match instruction.opcode:
            case "ld" if "param" in instruction.words:
                run = self._arithmetic(instruction, (lambda x: x), (instruction.type,), instruction.type)
            case "ld" | "st":
                run = self._memory(instruction)
            case "shfl":
                run = self._shuffle(instruction)
            case "ret" | "exit" | "bar" | "barrier":
                run = _nothing
            case _:
                run = self._arithmetic(instruction, *arithmetic(instruction))
        if instruction.predicate and run is not _nothing:
            run = self._predicated(run, *instruction.predicate)
        return Step(instruction, run, kind_of(instruction))

    def _predicated(self, run: Callable, register: str, negated: bool) -> Callable:
        condition = self.source(register, "pred")

        def run_some(wave: "Wave", group: Group) -> None:
            some = Group(group.mask & (condition(wave.registers) ^ negated))
            divided, wave.divided = wave.divided, True
            if some.mask.any():
                run(wave, some)
            wave.divided = divided

        return run_some

    def _arithmetic(self, instruction: Instruction, function: Callable, types: tuple[str, ...], to: str) -> Callable:
        out, *operands = instruction.operands
        assign = self.target(out, to)
        sources = [self.source(_name(operand), type_) for operand, type_ in zip(operands, types, strict=True)]

        def compute(wave: "Wave", group: Group) -> None:
            registers = wave.registers
            assign(wave, group, function(*[source(registers) for source in sources]))

        return compute

    def _memory(self, instruction: Instruction) -> Callable:
        words, type_ = instruction.words[1:-1], instruction.type
        space, loads = words[0], instruction.opcode == "ld"
        if space not in ("global", "shared") or words[1:] not in ((), ("v2",), ("v4",)):
            raise NotImplementedError(f"line {instruction.line}: {instruction.text}")
        values, address = instruction.operands if loads else instruction.operands[::-1]
        numbers = values.strip("{}").replace(" ", "").split(",")
        base, _, offset = address.strip("[]").partition("+")
        assert len(numbers) == (int(words[1][1:]) if words[1:] else 1)
        find = self.source(base, "u64")
        offset, dtype = np.uint64(int(offset or 0) & 0xFFFF_FFFF_FFFF_FFFF), DTYPES[type_]
        size = len(numbers) * dtype.itemsize
        assign = [self.target(one, type_) for one in numbers] if loads else []
        sources = [] if loads else [self.source(one, type_) for one in numbers]

        def access(wave: "Wave", group: Group) -> None:
            addresses, threads = find(wave.registers) + offset, group.threads
            wave.count_access(f"{space} {'load' if loads else 'store'}", addresses, group, size)
            one = loads and not np.ndim(addresses) and wave.reads_freely(space, addresses)
            threads = group.first if one else group.threads
            addresses = np.broadcast_to(addresses, wave.threads)[threads]
            memory, at, stamps = wave.locate(space, addresses, threads, size)
            try:
                for n, set_ in enumerate(assign):
                    found = memory.load(at + n * dtype.itemsize, dtype, stamps)
                    set_(wave, group, found[0] if one else wave.spread(found, threads))
                for n, source in enumerate(sources):
                    value = np.broadcast_to(source(wave.registers), wave.threads)[threads]
                    memory.store(at + n * dtype.itemsize, value, stamps)
            except Unsafe as unsafe:
                raise wave.unsafe(str(unsafe), addresses, threads, unsafe.which) from None

        return access

    def _shuffle(self, instruction: Instruction) -> Callable:
        if instruction.words[1] != "sync":
            raise NotImplementedError(f"line {instruction.line}: {instruction.text}")
        way, (out, *operands) = instruction.words[2], instruction.operands
        value, *numbers = [self.source(operand, "b32") for operand in operands]
        assign = self.target(out, "b32")
        valid = self.target(out.partition("|")[2], "pred") if "|" in out else None

        def shuffle(wave: "Wave", group: Group) -> None:
            by, clamp, members = (np.broadcast_to(n(wave.registers), wave.threads) for n in numbers)
            lane = np.arange(wave.threads, dtype=np.uint32) % WARP
            at, inside = _shuffled_lane(way, lane, by, clamp)
            present = np.packbits(group.mask, bitorder="little").view("<u4").repeat(WARP)
            absent = group.mask & (present != members)
            if absent.any():
                raise wave.violation("exchanges numbers with lanes that are absent", int(np.argmax(absent)))
            rows = np.broadcast_to(value(wave.registers), wave.threads).reshape(-1, WARP)
            assign(wave, group, np.take_along_axis(rows, at.reshape(-1, WARP), 1).reshape(-1))
            if valid:
                valid(wave, group, inside)

        return shuffle


def _nothing(wave: "Wave", group: Group) -> None:
    """Do what an instruction does that only ends a basic block."""


def _name(operand: str) -> str:
    """Return the parameter in an operand such as [parameter], or the operand itself."""
    return operand.strip("[]")


def _stored(dtype: np.dtype) -> np.dtype:
    """Return the type of a register's numbers: unsigned if the declaration names only the bits."""
    return np.dtype(f"u{dtype.itemsize}") if dtype.kind in "iu" else dtype


def _literal(text: str, dtype: np.dtype) -> Any:
    """Return the number that a constant stands for."""
    if text[:2] in ("0f", "0F", "0d", "0D"):
        return np.dtype(f"u{dtype.itemsize}").type(int(text[2:], 16)).view(dtype)
    number = int(text.rstrip("U"), 0)
    if dtype.kind in "iu":
        return np.uint64(number & 0xFFFF_FFFF_FFFF_FFFF).astype(f"u{dtype.itemsize}").view(dtype)
    if dtype.kind == "b":
        return number != 0
    raise NotImplementedError(f"{text} as a number of {dtype}")


def _shuffled_lane(way: str, lane: np.ndarray, by: np.ndarray, clamp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lane whose number each lane gets, and whether it lies in the lane's segment; else it gets its own."""
    segment, by = clamp >> np.uint32(8) & np.uint32(31), by & np.uint32(31)
    last = (lane & segment) | (clamp & np.uint32(31) & ~segment)
    lane, last = lane.astype(np.int64), last.astype(np.int64)
    match way:
        case "bfly":
            at = lane ^ by
        case "down":
            at = lane + by
        case "up":
            at = lane - by
        case "idx":
            at = (lane & segment) | (by & ~segment)
        case _:
            raise NotImplementedError(f"shfl.sync.{way}")
    inside = at >= last if way == "up" else at <= last
    return np.where(inside, at, lane), inside


KINDS = {  # of instructions, by their first words
    **{"fma": "fma", "bra": "branch", "bar": "barrier", "barrier": "barrier", "shfl": "shuffle", "setp": "compare"},
    **{"selp": "select", "mov": "move", "cvta": "move", "cvt": "convert", "ret": "branch", "exit": "branch"},
    **{"rcp": "special", "sqrt": "special", "ex2": "special", "lg2": "special", "rem": "division"},
}


def kind_of(instruction: Instruction) -> str:
    """Return the class of an instruction, for counting."""
    opcode, type_ = instruction.opcode, instruction.type
    if opcode in ("ld", "st"):
        space = instruction.words[1]
        return "parameter" if space == "param" else f"{space} {'load' if opcode == 'ld' else 'store'}"
    if "f64" in instruction.words:
        return "float64"
    if opcode == "div":
        return "special" if type_ == "f32" else "division"
    return KINDS.get(opcode) or ("float" if type_ == "f32" else "integer64" if type_.endswith("64") else "integer")


class Wave:
    """Some blocks of a launch, whose threads run at the same time."""

    def __init__(self, launch: "Launch", blocks: np.ndarray):
        self.launch, self.code = launch, launch.code
        self.per_block = prod(launch.block)
        self.threads = len(blocks) * self.per_block
        self.number = (blocks[:, None] * self.per_block + np.arange(self.per_block)).reshape(-1)
        self.shared_bytes = -(-self.code.program.shared_bytes // 16) * 16
        self.shared = Memory(len(blocks) * self.shared_bytes, 4)
        self.barriers = np.ones(len(blocks), np.int64)  # that each block has passed
        self.divided = False  # whether threads outside of the current group are still to run
        self.instruction: Instruction | None = None
        self.registers = list(self.code.initial)
        for name, value in launch.registers.items():
            self._set(name, value)
        in_block, block = self.number % self.per_block, self.number // self.per_block
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
            self.barriers += some

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
            actors, times = np.arange(self.threads)[threads], self.barriers[block]
        else:
            window = int(addresses[0]) >> WINDOW_BITS
            if not 0 < window <= len(self.launch.arguments):
                raise self.unsafe("is outside of all arrays", addresses, threads, 0)
            if int(addresses.max()) >> WINDOW_BITS in range(window + 1, len(self.launch.arguments) + 1):
                raise NotImplementedError("one instruction uses several arrays")
            argument, base = self.launch.arguments[window - 1], window << WINDOW_BITS
            memory, first = argument.memory, base + argument.offset
            last = first + argument.nbytes
            actors, times = self.number[threads], self.launch.time
        outside = int(addresses.min()) < first or int(addresses.max()) + size > last
        if outside:
            wrong = (addresses < np.uint64(first)) | (addresses + np.uint64(size) > np.uint64(last))
            raise self.unsafe("is outside of the array", addresses, threads, int(np.argmax(wrong)))
        at = (addresses - np.uint64(base)).view(np.int64)
        if space == "shared":
            at = at + block * self.shared_bytes
        return memory, at, actors | (np.int64(times) << 32)

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
        counts = self.launch.counts
        counts[f"{kind} requests"] += group.warps
        addresses = np.broadcast_to(addresses, self.threads)[group.threads]
        thread = np.arange(self.threads)[group.threads]
        if kind.startswith("global"):
            sectors = thread // WARP << 48 | (addresses >> np.uint64(5)).view(np.int64)
            counts[f"{kind} sectors"] += len(np.unique(sectors))
        else:
            counts[f"{kind} wavefronts"] += _wavefronts(thread, addresses, size)


def _wavefronts(thread: np.ndarray, addresses: np.ndarray, size: int) -> int:
    """Return how often shared memory is accessed: different words of a bank one after the other.

    8 bytes are accessed by half a warp at a time, 16 by a quarter.
    """
    words = max(1, size // 4)
    part = thread // (WARP // words)
    word = np.unique(part << 32 | (addresses >> np.uint64(2)).astype(np.int64))
    bank, uses = np.unique(word >> 32 << 5 | word & 31, return_counts=True)
    most = np.zeros(int(part.max()) + 1, np.int64)
    np.maximum.at(most, bank >> 5, uses)
    return int(most.sum())


class Launch:
    """One launch of a kernel.

    Parameters
    ----------
    code : Code
    grid, block : tuple of int
    arguments : list of Argument and numbers
        In the order of the parameters.
    time : int
        Number of the launch: accesses of different launches are ordered.
    counts_memory : bool
        Whether to count sectors and bank conflicts, which takes long.

    Attributes
    ----------
    counts : Counter
        Warp instructions by kind, once the launch has run, and "global load sectors" and the like.
    """

    def __init__(
        self,
        code: Code,
        grid: Sequence[int],
        block: Sequence[int],
        arguments: Sequence[Any],
        time: int,
        counts_memory: bool = False,
    ):
        program = code.program
        self.name, self.code, self.time, self.counts_memory = program.name, code, time, counts_memory
        self.grid, self.block = ((*sizes, 1, 1)[:3] for sizes in (grid, block))
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
            argument.memory.watched = False
            argument.memory.complete = argument.memory.complete or argument.memory.is_initialized()
        for (name, _), argument in zip(program.parameters.items(), arguments, strict=True):
            if isinstance(argument, Argument) and name in code.written:
                argument.memory.watched = True
        self.counts: Counter[str] = Counter()
        self.visits: Counter[int] = Counter()  # of basic blocks, by warps

    def _pass(self, argument: Any, dtype: np.dtype) -> Any:
        """Return the register of a parameter."""
        if isinstance(argument, Argument):
            assert dtype == np.uint64, "an array is passed as a number"
            self.arguments.append(argument)
            return np.uint64((len(self.arguments) << WINDOW_BITS) + argument.offset)
        value = np.asarray(argument)[()]
        assert value.dtype.itemsize == dtype.itemsize, f"a number of {value.dtype} is passed as {dtype}"
        return value.view(dtype)

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
                self.counts[kind_of(instruction)] += warps
