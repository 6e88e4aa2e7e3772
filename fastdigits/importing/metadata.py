"""What exports of fastdigits say about a network in addition to its layers and weights."""

import json
from typing import Any

from fastdigits.errors import UserError


def parse(text: str | bytes) -> dict[str, Any]:
    """Return the metadata that export.metadata.metadata wrote; raise UserError if it is damaged."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UserError("its metadata is damaged; export the network again.")
    return found
