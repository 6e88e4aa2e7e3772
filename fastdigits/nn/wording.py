"""Layers in words."""

from fastdigits.nn.layers import Layer


def kernel_of(layer: Layer) -> str:
    """Rows and columns of a layer's kernel or window and its stride, such as "3 x 3, stride 2"; else ""."""
    if hasattr(layer, "weight") and len(layer.weight.shape) == 4:
        kernel = "{} x {}".format(*layer.weight.shape[2:])
        return kernel + (f", stride {layer.stride}" if layer.stride > 1 else "")
    return "{} x {}, stride {}".format(*layer.size, layer.stride) if hasattr(layer, "window") else ""
