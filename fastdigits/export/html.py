"""HTML: one page to draw digits on, with the network in it. It opens from disk and works offline.

The forward pass and the preparation of drawings are in templates/; the paper and the view of the answer are those of
the server's page.
"""

import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from fastdigits.data.preprocessing import UNPREPARED
from fastdigits.errors import UserError
from fastdigits.export import Exported, ExportOptions
from fastdigits.export.metadata import origin
from fastdigits.export.pixels import pixel_table
from fastdigits.export.program import Program, program_of
from fastdigits.export.source import name_of
from fastdigits.nn.calibration import Calibration
from fastdigits.nn.class_names import decides_on_digits
from fastdigits.storage.weights import SavedNetwork

IMAGE_SIDE = 28  # pixels of an image in the format of MNIST
SMALL = 1_000_000  # bytes; the note says so if a page is larger
TEMPLATES = Path(__file__).parent / "templates"
SERVER_PAGE = Path(__file__).parents[1] / "serve" / "static"


def encode(saved: SavedNetwork, options: ExportOptions) -> Exported:
    """Return the content of the file; see export.encode.

    Raises
    ------
    UserError
        If the network does not recognize digits in the format of MNIST.
    """
    program = program_of(saved, "HTML")
    _check_digits(saved, program)
    description, numbers = _described(saved, program)
    count, accuracy = sum(one.size for one in program.weights.values()), saved.metrics.get("test_accuracy")
    known = f", {accuracy:.2%} accuracy on the test images" if isinstance(accuracy, float) else ""
    content = _rendered(
        title=origin(saved),
        facts=f"{name_of(saved)}: {count:,} parameters{known}",
        icon=f"data:image/svg+xml,{quote((SERVER_PAGE / 'icon.svg').read_text('utf8'))}",
        description=description,
        weights=_compressed(numbers),
    )
    size = f" It has more than {SMALL:,} bytes, as the network has {count:,} parameters." * (len(content) > SMALL)
    return Exported(content, f"a page to draw digits on, which opens from disk and works offline.{size}")


def _check_digits(saved: SavedNetwork, program: Program) -> None:
    """Raise UserError unless drawings can be prepared for the network."""
    preparation = saved.normalisation.preparation
    side = IMAGE_SIDE + 2 * preparation.pad
    if program.network.input_shape != (1, side, side) or not decides_on_digits(saved.class_names):
        raise UserError(
            f"The HTML page needs a network that recognizes digits in images of {IMAGE_SIDE} x {IMAGE_SIDE} pixels; "
            "choose another format."
        )
    if preparation.placement != UNPREPARED.placement:
        raise UserError(
            "The HTML page needs a network whose training images have digits of the size and at the place of MNIST's; "
            "choose another format."
        )


def _described(saved: SavedNetwork, program: Program) -> tuple[dict[str, Any], np.ndarray]:
    """Return what templates/network.js reads, and all numbers, in which its arrays are (start, length)."""
    parts: list[np.ndarray] = []

    def place(array: np.ndarray) -> tuple[int, int]:
        start = sum(part.size for part in parts)
        parts.append(array.reshape(-1))
        return start, array.size

    normalisation, calibration = saved.normalisation.for_mnist_format(), saved.calibration or Calibration()
    pixels = {"rows": IMAGE_SIDE, "columns": IMAGE_SIDE, "pad": normalisation.preparation.pad, "background": 0}
    steps = [
        {
            "kind": step.kind,
            "x": step.x,
            "y": step.y,
            "other": step.other,
            "input": step.input_shape,
            "output": step.output_shape,
            **step.settings,
            "arrays": {name: place(array) for name, array in step.arrays.items()},
        }
        for step in program.steps
    ]
    description = {
        "classes": saved.class_names,
        "pixels": {**pixels, "levels": place(pixel_table(normalisation))},
        "calibration": {
            "temperature": calibration.temperature,
            "unsureBelow": calibration.unsure_below,
            "noDigitBias": calibration.no_digit_bias,
        },
        "buffers": program.sizes,
        "steps": steps,
    }
    return description, np.concatenate(parts, dtype=np.float32)


def _compressed(numbers: np.ndarray) -> str:
    """Compress float32 numbers, the first bytes of all before the second ones: exponents compress well."""
    planes = numbers.astype("<f4").view(np.uint8).reshape(-1, 4).T
    return b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def _rendered(**values: Any) -> bytes:
    """Return the page; {{ own(NAME) }} and {{ server(NAME) }} are files of the two folders as they are."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    page = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    for name, folder in (("own", TEMPLATES), ("server", SERVER_PAGE)):
        page.globals[name] = lambda file, folder=folder: Markup((folder / file).read_text("utf8").rstrip())
    return page.get_template("page.html").render(values).encode()
