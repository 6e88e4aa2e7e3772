"""Activations, element by element, and their gradients from the output y, of which they are all functions.

relu: max(x, 0)    leaky_relu: x if x > 0 else slope x    sigmoid: 1 / (1 + e^-x)    tanh: (e^x - e^-x) / (e^x + e^-x)

Arrays of any shape are passed as the view (V, L): V vectors of L lanes.
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
