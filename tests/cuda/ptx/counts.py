"""Count what a GPU would do: instructions by kind, sectors of memory, turns of the banks of shared memory."""

import numpy as np

from ptx import WARP
from ptx.program import Instruction

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


def count_sectors(thread: np.ndarray, addresses: np.ndarray) -> int:
    """Return how many sectors of 32 bytes the warps of some threads need at once."""
    return len(np.unique(thread // WARP << 48 | (addresses >> np.uint64(5)).view(np.int64)))


def count_wavefronts(thread: np.ndarray, addresses: np.ndarray, size: int) -> int:
    """Return how often shared memory is accessed: different words of a bank one after the other.

    8 bytes are accessed by half a warp at a time, 16 by a quarter.
    """
    words = max(1, size // 4)
    part = thread // (WARP // words)
    word = np.unique(part << 32 | (addresses >> np.uint64(2)).view(np.int64))
    bank, uses = np.unique(word >> 32 << 5 | word & 31, return_counts=True)
    most = np.zeros(int(part.max()) + 1, np.int64)
    np.maximum.at(most, bank >> 5, uses)
    return int(most.sum())
