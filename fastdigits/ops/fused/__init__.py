"""Chains of operations in one pass: intermediate results stay in registers and are never written to memory.

Each operation is defined by the plain operations that it replaces. A convolution with ReLU and pooling also writes a
pool_mask, which says which of the four pixels of a window receive the gradient: the sum of their bits 1, 2, 4 and 8
(upper left, upper right, lower left, lower right).
"""

OPS = (
    "add_relu",
    "batchnorm_relu_forward",
    "batchnorm_relu_inference",
    "batchnorm_relu_backward",
    "dense_relu_forward",
    "dense_backward_input_relu",
    "conv2d_relu_forward",
    "conv2d_backward",
    "conv2d_relu_maxpool_forward",
    "conv2d_relu_avgpool_forward",
    "conv2d_relu_maxpool_backward",
    "conv2d_relu_avgpool_backward",
    "conv2d_relu_maxpool_backward_weight",
    "conv2d_relu_avgpool_backward_weight",
)
