"""One image at a time: the lanes run along the pixels of a row, or along the inputs of a dense layer.

In the arrays of these operations L is 1, and they only infer: there are no pool_mask to fill, and every operation
that is not here is the definition's own. Sixteen images side by side take less time than four one by one, but a
single one need not wait for lanes that stay empty.
"""

OPS = (
    "conv2d_forward",
    "conv2d_relu_forward",
    "conv2d_relu_maxpool_forward",
    "conv2d_relu_avgpool_forward",
    "dense_forward",
    "dense_relu_forward",
)
