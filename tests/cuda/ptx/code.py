"""Compile a parsed kernel: each instruction becomes a function of all threads, on registers that are arrays."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ptx import WARP
from ptx.memory import Unsafe
from ptx.opcodes import DTYPES, arithmetic
from ptx.program import Instruction, Program, unwritten_read, written_parameters

if TYPE_CHECKING:
    from ptx.machine import Wave

SPECIAL = {f"%{name}.{axis}" for name in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz"}


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


class Code:
    """A compiled program: what each basic block does, with registers as places in a list.

    Attributes
    ----------
    initial : list
        The registers at the start. Constants have registers, too.
    unwritten_read : str or None
        What reads a register that may be unwritten, if something does.
    """

    def __init__(self, program: Program):
        self.program = program
        self.initial: list[Any] = []
        self.places: dict[str, int] = {}
        self.written, self.unwritten_read = written_parameters(program), unwritten_read(program)
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
        return Step(instruction, run)

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
            addresses = find(wave.registers) + offset
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
