"""Pictures that a command line names: files, folders of them, and patterns such as "scans/*.png"."""

import os
from glob import glob, has_magic
from pathlib import Path

from fastdigits.errors import UserError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def picture_paths(name: str) -> list[str]:
    """The pictures that a name stands for, in the order of the alphabet; a file stands for itself.

    Raises
    ------
    UserError
        If nothing matches a pattern, or a folder holds no picture.
    """
    if os.path.isdir(name):
        found = [str(path) for path in sorted(Path(name).iterdir()) if path.suffix.lower() in ENDINGS]
        if not found:
            raise UserError(f"no file in it ends with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}; name the pictures.")
        return found
    if has_magic(name) and not os.path.exists(name):
        found = sorted(path for path in glob(name, recursive=True) if os.path.isfile(path))
        if not found:
            raise UserError("no file matches this pattern; check it.")
        return found
    return [name]
