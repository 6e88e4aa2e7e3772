"""Print text that holds file names, which may be any bytes, on one line of a terminal."""

import os
import unicodedata

UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # categories of Unicode: control, format, ..., line separators


def printable(text: str | os.PathLike[str]) -> str:
    r"""Replace control characters and bytes that are not valid text by escapes such as \n, \x1b and \xff."""
    decoded = os.fsencode(text).decode("utf8", "backslashreplace")
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in UNPRINTABLE else character
        for character in decoded
    )
