"""Inference on one image at a time: the lanes hold columns of a row, output channels, or inputs of a dense layer.

A few images side by side would leave most lanes empty. L is 1 in all arrays, pooling does not fill pool_mask, and all
other operations are those of the reference. A captured function becomes a single call of compiled code. Use it for at
most MAX_SEQUENTIAL_IMAGES images: a whole block of images side by side takes as long as three to nine one by one.
"""

OPS = (
    "conv2d_forward",
    "conv2d_relu_forward",
    "conv2d_relu_maxpool_forward",
    "conv2d_relu_avgpool_forward",
    "dense_forward",
    "dense_relu_forward",
    "batchnorm_inference",
    "batchnorm_relu_inference",
    "maxpool2d_forward",
    "avgpool2d_forward",
    "relu_forward",
    "add",
    "add_relu",
    "gather_batch",
)
