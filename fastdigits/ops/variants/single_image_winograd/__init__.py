"""Winograd's method for one image, with channels in the lanes.

See variants/winograd for the method. These operations replace those of variants/single_image, and call them for layers
where the method is not faster. The weights of a trained network stay the same, so a replay transforms them only if they
differ from those of its last call.
"""

OPS = (
    "conv2d_forward",
    "conv2d_relu_forward",
    "conv2d_relu_maxpool_forward",
    "conv2d_relu_avgpool_forward",
)
