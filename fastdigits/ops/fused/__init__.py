"""Chains of operations in one pass: what lies between them stays in registers and is never written.

Each is defined as the calls of the plain operations that it stands for. A convolution with ReLU
and pooling also writes where the gradient will go, its pool_mask: to which of the four pixels under
a pooled one, as the sum of their bits 1, 2, 4, 8 (upper left, upper right, lower left, lower right).
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
