"""Element-wise activations and their gradients, which are computed from the output y.

relu: max(x, 0)    leaky_relu: x if x > 0 else slope x    sigmoid: 1 / (1 + e^-x)    tanh: (e^x - e^-x) / (e^x + e^-x)

An array of any shape is passed as its view (V, L): V vectors of L lanes.
"""

OPS = (
    "relu_forward",
    "relu_backward",
    "leaky_relu_forward",
    "leaky_relu_backward",
    "sigmoid_forward",
    "sigmoid_backward",
    "tanh_forward",
    "tanh_backward",
)
