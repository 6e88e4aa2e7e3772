"""Parse the text of a kernel in PTX into basic blocks of instructions."""

import re
from functools import cache
from typing import NamedTuple

JUMPS = {"bra", "ret", "exit", "bar", "barrier"}  # end a basic block
COPIES, STORES = ("ld", "param"), ("st", "global")  # first words of instructions
REGISTER = re.compile(r"%[a-z]+\d+")  # special registers such as %tid.x have no number
OPERAND = re.compile(r"\{[^}]*\}|\[[^\]]*\]|[^,\s]+")
DECLARED = re.compile(r"\.reg\s+\.(\w+)\s+(%\w+?)<\d+>")
SHARED = re.compile(r"\.shared\s+\.align\s+(\d+)\s+\.b8\s+(\w+)\[(\d+)\]")


class Instruction(NamedTuple):
    """One instruction, as in line `line` of the text.

    Examples
    --------
    "@!%p2 ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd7+16]" has the words ld, global, v4, f32, two operands, and the
    predicate (%p2, True).
    """

    line: int
    text: str
    words: tuple[str, ...]
    operands: tuple[str, ...]
    predicate: tuple[str, bool] | None  # a register, and whether it is negated

    @property
    def opcode(self) -> str:
        return self.words[0]

    @property
    def type(self) -> str:
        return self.words[-1]


class Program(NamedTuple):
    """A kernel in PTX."""

    name: str
    entry: str  # the name in the text, which also tells the types
    parameters: dict[str, str]  # types by name
    threads: int | None  # of a block, at most
    shared: dict[str, int]  # offsets in the shared memory of a block
    shared_bytes: int
    types: dict[str, str]  # of registers, by the letters of their names
    blocks: list[list[Instruction]]  # each ends with a jump, or where another begins
    labels: dict[str, int]  # numbers of blocks


@cache
def parse(text: str) -> Program:
    """Parse the text of a PTX file with one kernel."""
    text = re.sub(r"//[^\n]*", "", text)
    entry = text.index(".entry")
    body = text.index("{", entry)
    head = text[entry:body]
    shared, size = {}, 0
    for align, name, length in SHARED.findall(text):
        size = -(-size // int(align)) * int(align)
        shared[name] = size
        size += int(length)
    threads = re.search(r"\.maxntid\s+(\d+)", head)
    blocks, labels = _blocks(text, body + 1)
    return Program(
        _plain_name(name := re.search(r"\.entry\s+(\w+)", head)[1]),
        name,
        {name: type_ for type_, name in re.findall(r"\.param\s+\.(\w+)\s+(\w+)", head)},
        int(threads[1]) if threads else None,
        shared,
        size,
        {letters: type_ for type_, letters in DECLARED.findall(text)},
        blocks,
        labels,
    )


def _plain_name(mangled: str) -> str:
    """Return the name of the function in a mangled name such as _ZN3ops4cuda3addB2v1, in which it is the last."""
    names, rest = [mangled], mangled.removeprefix("_ZN")
    while length := re.match(r"\d+", rest):
        end = length.end() + int(length[0])
        names.append(rest[length.end() : end])
        rest = rest[end:]
    return names[-1]


def unwritten_read(program: Program) -> str | None:
    """Return what reads a register that is not written on every way there, in half a sentence; None if nothing does."""
    before = _written_before(program)
    for block, written in zip(program.blocks, before, strict=True):
        written = None if written is None else set(written)
        for instruction in block if written is not None else ():
            targets, sources = _registers(instruction)
            if unwritten := set(sources) - written:
                where = f"line {instruction.line}, {instruction.text}"
                return f"reads register {min(unwritten)}, which is not written on every way there ({where})"
            written.update(() if instruction.predicate else targets)
    return None


def _written_before(program: Program) -> list[frozenset[str] | None]:
    """Return the registers that are written on all ways to each basic block; None where no way leads."""
    before: list[frozenset[str] | None] = [None] * len(program.blocks)
    before[0], waiting = frozenset(), [0]
    while waiting:
        number = waiting.pop()
        written = set(before[number])
        for instruction in program.blocks[number]:
            written.update(() if instruction.predicate else _registers(instruction)[0])
        for next_ in _successors(program, number):
            known = before[next_]
            before[next_] = frozenset(written if known is None else known & written)
            if before[next_] != known:
                waiting.append(next_)
    return before


def _successors(program: Program, number: int) -> list[int]:
    """Return the basic blocks that can follow one."""
    last = program.blocks[number][-1] if program.blocks[number] else None
    found = [program.labels[last.operands[0]]] if last and last.opcode == "bra" else []
    goes_on = not last or last.opcode not in ("bra", "ret", "exit") or last.predicate
    return [*found, *([number + 1] if goes_on and number + 1 < len(program.blocks) else [])]


def _registers(instruction: Instruction) -> tuple[list[str], list[str]]:
    """Return the registers that an instruction writes, and those that it reads."""
    writes = instruction.opcode != "st" and instruction.opcode not in JUMPS
    found = [REGISTER.findall(operand) for operand in instruction.operands]
    targets, sources = (found[0], found[1:]) if writes else ([], found)
    guard = [instruction.predicate[0]] if instruction.predicate else []
    return targets, [*guard, *(register for registers in sources for register in registers)]


def written_parameters(program: Program) -> set[str]:
    """Return the names of the parameters that addresses of stores are computed from."""
    instructions = [instruction for block in program.blocks for instruction in block]
    computed = [one for one in instructions if one.words[:2] == COPIES or one.opcode not in ("ld", "st", *JUMPS)]
    origins: dict[str, set[str]] = {name: {name} for name in program.parameters}
    size = -1
    while size != (size := sum(map(len, origins.values()))):  # loops carry addresses on
        for instruction in computed:
            out, *sources = instruction.operands
            for source in sources:
                origins.setdefault(out, set()).update(origins.get(source.strip("[]"), ()))
    stores = [one.operands[0].strip("[]").partition("+")[0] for one in instructions if one.words[:2] == STORES]
    return set().union(*(origins.get(base, ()) for base in stores))


def _blocks(text: str, start: int) -> tuple[list[list[Instruction]], dict[str, int]]:
    """Split the body of a kernel into basic blocks."""
    blocks: list[list[Instruction]] = [[]]
    labels = {}
    for match in re.finditer(r"\s*(?:(\$\w+):|([^;{}:]*(?:\{[^}]*\})?[^;{}:]*);)", text[start : text.rindex("}")]):
        label, statement = match.groups()
        if label:
            if blocks[-1]:
                blocks.append([])
            labels[label] = len(blocks) - 1
        elif not statement.startswith("."):
            line = text.count("\n", 0, start + match.end()) + 1
            blocks[-1].append(_instruction(line, " ".join(statement.split())))
            if blocks[-1][-1].opcode in JUMPS:
                blocks.append([])
    return blocks, labels


def _instruction(line: int, text: str) -> Instruction:
    guard, words, operands = re.fullmatch(r"(?:@(!?%\w+)\s+)?([\w.:]+)\s*(.*)", text).groups()
    predicate = (guard.lstrip("!"), guard.startswith("!")) if guard else None
    return Instruction(line, text, tuple(words.split(".")), tuple(OPERAND.findall(operands)), predicate)
