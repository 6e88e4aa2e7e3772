"""C99: the source code of a network without allocation, in float32 or, quantized after the training, in int8.

templates/network.c and what it includes hold the operations; the steps of the network become calls of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from pathlib import Path
from textwrap import fill
from zlib import crc32

import numpy as np

from fastdigits.export import Exported, ExportOptions
from fastdigits.export.metadata import calibration_note, origin
from fastdigits.export.pixels import pixel_table
from fastdigits.export.program import ACTIVATIONS, IMAGE, Program, Step, program_of
from fastdigits.storage.weights import SavedNetwork

TEMPLATES = Path(__file__).parent / "templates"
MATHEMATICAL = {"lrn", "sigmoid", "tanh", "gelu", "silu"}  # steps that need functions of the C library
FUNCTIONS = {
    "scores": "dense_scores",
    **{kind: f"apply_{kind}" for kind in ACTIVATIONS},
}  # of other names than the kind
WIDTH = 112  # of a statement; the template indents it
NO_BREAK = "\N{NO-BREAK SPACE}"
PER_LINE = {"float32": 6, "int8": 20, "int32": 8}  # numbers
RESERVE = 8 * 1024  # bytes of flash and of RAM for everything else
TYPES = {"float32": "float", "int8": "int8_t", "int32": "int32_t"}
BOARDS = {  # flash and RAM in bytes
    "Arduino Uno R4": (256 * 1024, 32 * 1024),
    "Raspberry Pi Pico": (2048 * 1024, 264 * 1024),
    "Arduino Nano 33 BLE": (1024 * 1024, 256 * 1024),
    "ESP32": (1280 * 1024, 320 * 1024),  # of 4 MB and 520 KB, what a sketch may use by default
    "Teensy 4.1": (7936 * 1024, 512 * 1024),
}


@dataclass(frozen=True, eq=False)
class Code:
    """What the template needs to know about a network.

    Attributes
    ----------
    number : {"float32", "int8"}
        The type of the arrays between two steps.
    levels : array (256,)
        The input for each level of a pixel.
    arrays : dict of arrays
        Weights by their names in C.
    calls : list of str
        The statements that compute the scores.
    kinds : set of str
        The operations that they call.
    note : str
        How it was quantized.
    """

    number: str
    levels: np.ndarray
    arrays: dict[str, np.ndarray]
    calls: list[str]
    kinds: set[str]
    note: str = ""


def encode(saved: SavedNetwork, options: ExportOptions, header: bool = False) -> Exported:
    """Return the content of the file; see export.encode. With `header`, all functions are static."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    program = program_of(saved, "C")
    code = _int8(saved, program) if options.int8 else _float32(saved, program)
    window = max((prod(step.arrays["weight"].shape[1:]) for step in program.steps if step.kind == "conv2d"), default=0)
    used = {IMAGE, *map(int, re.findall(r"buffer_(\d+)", " ".join(code.calls)))}
    buffers = {number: size for number, size in enumerate(program.sizes) if number in used}
    flash = code.levels.nbytes + sum(array.nbytes for array in code.arrays.values())
    ram = np.dtype(code.number).itemsize * (sum(buffers.values()) + window)
    preparation = saved.normalisation.preparation
    C, H, W = program.network.input_shape
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = templates.get_template("network.c").render(
        title=_comment(origin(saved)),
        notes=[*filter(None, [code.note, calibration_note(saved)]), *_size_table(flash, ram)],
        header=header,
        linkage="static inline " if header else "",
        int8=options.int8,
        number=TYPES[code.number],
        uses=lambda *kinds: not code.kinds.isdisjoint(kinds),
        needs_math=bool(code.kinds & MATHEMATICAL),
        classes=[_text(name) for name in saved.class_names],
        rows=H - 2 * preparation.pad,
        columns=W - 2 * preparation.pad,
        pad=preparation.pad,
        background=preparation.background,
        arrays=[_definition(name, array) for name, array in {"levels": code.levels, **code.arrays}.items()],
        buffers=buffers,
        window=window,
        calls=code.calls,
        checksum=f"{_checksum(code):08X}",
    )
    text = _prefixed(text) if header else text
    kind = code.note or "float32."
    return Exported(text.encode(), f"C99, {kind}", "\n".join(_size_table(flash, ram)))


def _checksum(code: Code) -> int:
    """Return a number that differs between networks, so that a compiler notices the second one in a source file."""
    return reduce(lambda value, array: crc32(array.tobytes(), value), code.arrays.values(), 0)


def _prefixed(text: str) -> str:
    """Let all names that a header defines begin with "network", so that they differ from those of the program."""
    [constants] = re.findall(r"^enum {(.*)};$", text, re.M)
    defined = [
        *re.findall(r"(\w+) =", constants),
        *re.findall(r"^} (\w+);$", text, re.M),
        *re.findall(r"^static [^(\[\n]*\b(\w+)[(\[]", text, re.M),
    ]
    names = "|".join(name for name in defined if not name.startswith("network_"))
    literal_or_comment = r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/'
    return re.sub(
        rf"({literal_or_comment})|\b({names})\b", lambda found: found[1] or _prefixed_name(found[2]), text, flags=re.S
    )


def _prefixed_name(name: str) -> str:
    if name.isupper():
        return f"NETWORK_{name}"
    return f"Network{name}" if name[0].isupper() else f"network_{name}"


def _float32(saved: SavedNetwork, program: Program) -> Code:
    arrays: dict[str, np.ndarray] = {}
    calls = []
    for number, step in enumerate(program.steps):
        is_last = number + 1 == len(program.steps)
        named = _named(step.name, step.arrays)
        arrays |= named
        calls.append(_call(step.kind, step, step.settings, list(named), "scores" if is_last else f"buffer_{step.y}"))
    return Code("float32", pixel_table(saved.normalisation), arrays, calls, program.kinds)


def _int8(saved: SavedNetwork, program: Program) -> Code:
    from fastdigits.export.quantize import quantized  # it loads the kernels

    found, accuracy = quantized(saved, program)
    arrays: dict[str, np.ndarray] = {}
    calls, kinds = [], {one.kind for one in found.steps}
    for one in found.steps:
        named = _named(one.step.name, one.arrays)
        arrays |= named
        y = "scores" if one.kind == "scores" else f"buffer_{one.step.y}"
        calls.append(_call(one.kind, one.step, one.step.settings | one.settings, list(named), y))
    if found.steps[-1].kind != "scores":
        calls.append(f"dequantize(buffer_{program.result}, scores, CLASSES, {_literal(found.scale)});")
        kinds.add("dequantize")
    note = (
        f"int8, calibrated on training images of {accuracy.data}: {accuracy.quantized:.2%} of {accuracy.images:,} test "
        f"images are right, {accuracy.exact:.2%} with float32."
    )
    return Code("int8", found.levels, arrays, calls, kinds, note)


def _named(layer: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays by their names in C."""
    return {f"{layer.replace('.', '_')}_{name}": array for name, array in arrays.items()}


def _call(kind: str, step: Step, settings: dict[str, float], arrays: Sequence[str], y: str) -> str:
    """Return the statement that computes a step into `y`."""
    x, count = f"buffer_{step.x}", str(prod(step.output_shape))
    numbers = {name: _literal(value) for name, value in settings.items()}
    match kind:
        case "conv2d":
            given = [x, _shape(step.input_shape), y, _shape(step.output_shape), _window(settings), "window", *arrays]
        case "maxpool2d" | "avgpool2d":
            factor = [numbers["factor"]] if "factor" in numbers else []
            given = [x, _shape(step.input_shape), y, _shape(step.output_shape), _window(settings), *factor]
        case "dense" | "scores":
            given = [x, str(prod(step.input_shape)), y, count, *arrays]
        case "scale":
            given = [x, y, _shape(step.output_shape), *arrays]
        case "lrn":
            given = [
                x,
                y,
                _shape(step.output_shape),
                str(settings["reach"]),
                *(numbers[n] for n in ("alpha", "beta", "k")),
            ]
        case "add" if "factor" in numbers:
            given = [x, numbers["factor"], f"buffer_{step.other}", numbers["other_factor"], y, count]
        case "add":
            given = [x, f"buffer_{step.other}", y, count]
        case "lookup":
            given = [x, y, count, *arrays]
        case _:
            given = [x, y, count, *numbers.values()]
    return _statement(FUNCTIONS.get(kind, kind), given)


def _statement(function: str, arguments: Sequence[str]) -> str:
    """Return a call, broken between arguments if it is long."""
    whole = [argument.replace(" ", NO_BREAK) for argument in arguments]
    return fill(f"{function}({', '.join(whole)});", WIDTH, subsequent_indent=8 * " ").replace(NO_BREAK, " ")


def _shape(shape: Sequence[int]) -> str:
    C, H, W = (*shape, 1, 1)[:3]
    return f"(Shape){{{C}, {H}, {W}}}"


def _window(settings: dict[str, float]) -> str:
    return f"(Window){{{', '.join(str(settings.get(name, 0)) for name in ('P', 'Q', 'stride', 'top', 'left'))}}}"


def _literal(value: float) -> str:
    """Return the shortest text that is the same float32 in C."""
    return f"{np.float32(value)!s}f"


def _text(text: str) -> str:
    """Return a text as a literal of C, in UTF-8."""
    characters = (
        chr(byte) if byte < 128 and (chr(byte).isalnum() or chr(byte) == " ") else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{"".join(characters)}"'


def _definition(name: str, array: np.ndarray) -> str:
    """Return the definition of a constant array."""
    is_float = array.dtype == np.float32
    per_line = PER_LINE[array.dtype.name]
    texts = [_literal(value) if is_float else str(value) for value in array.reshape(-1)]
    lines = [", ".join(texts[first : first + per_line]) for first in range(0, len(texts), per_line)]
    body = ",\n".join(f"    {line}" for line in lines)
    return f"static const {TYPES[array.dtype.name]} {name}[{len(texts)}] = {{\n{body}}};"


def _comment(text: str) -> str:
    """Return a text as a line that cannot end a comment."""
    return " ".join(text.split()).replace("*/", "* /").replace("/*", "/ *")


def _size_table(flash: int, ram: int) -> list[str]:
    """Return lines that tell the memory that the network takes, and which boards have as much."""
    lines = [
        f"Constants take {flash:,} bytes of flash and arrays {ram:,} bytes of RAM; code and stack need a few KB more."
    ]
    for board, sizes in BOARDS.items():
        missing = [
            name
            for name, size, used in zip(("flash", "RAM"), sizes, (flash, ram), strict=True)
            if used > size - RESERVE
        ]
        fits = f"too little {' and '.join(missing)}" if missing else "fits"
        lines.append(f"{board:<20} {sizes[0]:>9,} flash {sizes[1]:>7,} RAM   {fits}")
    return lines
