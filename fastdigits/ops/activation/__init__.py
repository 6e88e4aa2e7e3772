"""Element-wise activations and their gradients.

relu: max(x, 0)    leaky_relu: x if x > 0 else slope x    sigmoid: 1 / (1 + e^-x)    tanh: (e^x - e^-x) / (e^x + e^-x)
gelu: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))    silu: x sigmoid(x)

A gradient takes the output y if y determines it, and the input x otherwise: gelu and silu are not monotonic.
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
    "gelu_forward",
    "gelu_backward",
    "silu_forward",
    "silu_backward",
)
