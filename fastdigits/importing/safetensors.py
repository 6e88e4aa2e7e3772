"""safetensors files of arrays by PyTorch's names."""

import json

from safetensors import SafetensorError
from safetensors.numpy import load

from fastdigits.errors import UserError
from fastdigits.export.metadata import KEY
from fastdigits.importing import Imported
from fastdigits.importing.metadata import parse
from fastdigits.importing.tensors import in_natural_order, network_of
from fastdigits.nn.layers import Layer


def decode(content: bytes, layers: list[Layer] | None) -> Imported:
    """Return the network in a file; see importing.decode. The format does not keep the order of the arrays."""
    try:
        found = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except KeyError as error:  # a type such as bfloat16, which NumPy does not have
        raise UserError(f"its arrays are of the type {error}; convert them to float32.") from None
    except (SafetensorError, TypeError, ValueError) as error:
        raise UserError("it is not a safetensors file, or damaged; take another copy of it.") from error
    text = header.get("__metadata__", {}).get(KEY)
    return network_of({name: found[name] for name in in_natural_order(found)}, parse(text) if text else {}, layers)
