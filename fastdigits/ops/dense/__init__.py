"""The dense (fully connected) layer: y[b, o, l] = bias[o] + sum over k of x[b, k, l] weight[o, k]."""

OPS = ("dense_forward", "dense_backward_input", "dense_backward_weight")
