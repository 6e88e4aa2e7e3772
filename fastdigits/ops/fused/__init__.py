"""Fused operations: several operations in one pass, whose intermediate results stay in registers.

Each is defined by the plain operations that it replaces. A convolution with ReLU and pooling also fills a pool_mask,
which marks the pixels of each 2 x 2 window that receive the gradient: the sum of their bits 1 (upper left), 2 (upper
right), 4 (lower left) and 8 (lower right). For inference the mask may be empty.
"""

OPS = (
    "add_relu",
    "batchnorm_relu_forward",
    "batchnorm_relu_inference",
    "batchnorm_relu_backward",
    "dense_relu_forward",
    "dense_backward",
    "conv2d_relu_forward",
    "conv2d_backward",
    "conv2d_relu_maxpool_forward",
    "conv2d_relu_avgpool_forward",
    "conv2d_relu_maxpool_backward",
    "conv2d_relu_avgpool_backward",
    "conv2d_relu_maxpool_backward_weight",
    "conv2d_relu_avgpool_backward_weight",
)
