"""Normalization layers."""

from dataclasses import dataclass
from math import prod
from reprlib import repr as shown

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer, Shape, TrainingStep, check_fraction, check_pixels, check_positive
from fastdigits.nn.parameter import Parameter
from fastdigits.ops.interface import Array, Ops


@dataclass(eq=False)
class BatchNorm(Layer):
    """Batch normalization: normalize each channel to mean 0 and variance 1, multiply by gamma and add beta.

    In training, mean and variance are computed from the batch and update running averages. In inference, and in
    training if the layer is frozen, the running averages are used instead.

    Parameters
    ----------
    momentum : float
        Weight of the batch in the running averages.
    epsilon : float
        Added to the variance.

    References
    ----------
    Ioffe and Szegedy (2015), Batch normalization: accelerating deep network training by reducing internal covariate
    shift.
    """

    momentum: float = 0.1
    epsilon: float = 1e-5

    def shape_of_output(self, input_shape: Shape) -> Shape:
        check_fraction(self, "momentum", "epsilon")
        C = input_shape[0]
        self.gamma, self.beta = Parameter("gamma", (C,), "one"), Parameter("beta", (C,))
        self.parameters = [self.gamma, self.beta]
        self.running = [Parameter("running_mean", (C,)), Parameter("running_var", (C,), "one")]
        return input_shape

    @property
    def frozen(self) -> bool:
        """Whether training leaves the parameters and the running averages as they are."""
        return self.gamma.frozen

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        super().allocate(ops, blocks, training)
        self.mean, self.var = ops.empty(self.gamma.shape), ops.empty(self.gamma.shape)
        self.zero = ops.zeros(self.gamma.shape)

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        training = None if self.frozen else training
        self.x, self.count = x, training.count if training else None
        running_mean, running_var = self.running
        if training:
            self.ops.batchnorm_forward(
                x=planes(x),
                gamma=self.gamma.value,
                beta=self.beta.value,
                count=training.count,
                epsilon=float(self.epsilon),
                momentum=float(self.momentum),
                running_mean=running_mean.value,
                running_var=running_var.value,
                mean=self.mean,
                var=self.var,
                y=planes(self.y),
            )
        else:
            self.ops.batchnorm_inference(
                x=planes(x),
                gamma=self.gamma.value,
                beta=self.beta.value,
                mean=running_mean.value,
                var=running_var.value,
                epsilon=float(self.epsilon),
                y=planes(self.y),
            )
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if self.count is None:
            return self._backward_of_inference(dy)
        self.ops.batchnorm_backward(
            x=planes(self.x),
            dy=planes(dy),
            gamma=self.gamma.value,
            mean=self.mean,
            var=self.var,
            count=self.count,
            epsilon=float(self.epsilon),
            dgamma=self.gamma.gradient,
            dbeta=self.beta.gradient,
            dx=planes(self.dx),
        )
        return self.dx

    def _backward_of_inference(self, dy: Array) -> Array:
        """Return the gradient in inference mode, where the layer is affine: apply the same map without the offset."""
        self.ops.batchnorm_inference(
            x=planes(dy),
            gamma=self.gamma.value,
            beta=self.zero,
            mean=self.zero,
            var=self.running[1].value,
            epsilon=float(self.epsilon),
            y=planes(self.dx),
        )
        return self.dx


@dataclass(eq=False)
class LocalResponseNorm(Layer):
    """Local response normalization: divide each activation by (k + alpha sum)^beta.

    The sum is over the squared activations at the same pixel in `size` neighboring channels.

    References
    ----------
    Krizhevsky, Sutskever and Hinton (2012), ImageNet classification with deep convolutional neural networks.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0

    def shape_of_output(self, input_shape: Shape) -> Shape:
        check_pixels(self, input_shape)
        check_positive(self, "size")
        if self.size % 2 == 0:
            raise UserError(f"LocalResponseNorm: size must be odd, not {shown(self.size)}.")
        for name in ("alpha", "beta", "k"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value <= 1e3:
                raise UserError(f"LocalResponseNorm: {name} must lie between 0 and 1000, not {shown(value)}.")
        return input_shape

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        super().allocate(ops, blocks, training)
        self.base = ops.empty(planes(self.y).shape)

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x = x
        self.ops.lrn_forward(
            x=planes(x),
            size=self.size,
            alpha=float(self.alpha),
            beta=float(self.beta),
            k=float(self.k),
            base=self.base,
            y=planes(self.y),
        )
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            self.ops.lrn_backward(
                x=planes(self.x),
                y=planes(self.y),
                dy=planes(dy),
                base=self.base,
                size=self.size,
                alpha=float(self.alpha),
                beta=float(self.beta),
                dx=planes(self.dx),
            )
        return self.dx


def planes(array: Array) -> Array:
    """View activations (B, C, ..., L) as (B, C, S, L): channels of S pixels, or of one number each."""
    B, C, *pixels, L = array.shape
    return array.reshape(B, C, prod(pixels), L)
