"""Inference on one image at a time: the lanes are pixels of a row, output channels, or inputs of a dense layer.

L is 1 in all arrays. Pooling does not fill pool_mask, and all other operations are those of the reference. Sixteen
images side by side take less time than four one by one, but for a single image most lanes would stay empty.
"""

OPS = (
    "conv2d_forward",
    "conv2d_relu_forward",
    "conv2d_relu_maxpool_forward",
    "conv2d_relu_avgpool_forward",
    "dense_forward",
    "dense_relu_forward",
)
