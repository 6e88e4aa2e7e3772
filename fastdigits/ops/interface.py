"""The types of the op interface: device arrays and the operations on them.

`fastdigits.ops.load` returns an `Ops`. The `reference.py` of each family defines what an operation computes and
documents its parameters; tests check that the parameters here are the same.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fastdigits.ops.batch import Effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike

Function = TypeVar("Function", bound=Callable)


class Array(Protocol):
    """A C-contiguous array in the memory of a device: a NumPy array on the CPU, a CuPy array on CUDA.

    Only these members exist on every device. Use `Ops.download` to get the values as a NumPy array.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def size(self) -> int: ...

    @property
    def nbytes(self) -> int: ...

    def reshape(self, first: int, /, *others: int) -> "Array": ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __setitem__(self, key: Any, value: Any, /) -> None: ...

    def __iadd__(self, other: Any, /) -> "Array": ...

    def __len__(self) -> int: ...


class Ops(Protocol):
    """All operations of one device.

    Operations do not check their arguments. Arrays must be C-contiguous and have the types and shapes that the
    references state; where a shape ends in L, the last axis holds `lanes` images. Most operations return nothing and
    fill the arrays given as their last parameters.

    Attributes
    ----------
    device : str
        "cpu", "cuda" or "reference".
    lanes : int
        Number of images side by side along the last axis of an array.
    prefers_micro_batches : bool
        Whether inference on many images is faster in small batches, whose activations stay in the cache of the CPU. A
        GPU needs many images at once to be fully used.
    threads : int
        Number of threads that the kernels of the CPU use; 1 on other devices.
    exact : bool
        Whether all convolutions are direct sums.
    """

    device: str
    lanes: int
    prefers_micro_batches: bool
    threads: int
    exact: bool

    # activation
    def relu_forward(self, x: Array, y: Array) -> None: ...
    def relu_backward(self, y: Array, dy: Array, dx: Array) -> None: ...
    def leaky_relu_forward(self, x: Array, slope: float, y: Array) -> None: ...
    def leaky_relu_backward(self, y: Array, dy: Array, slope: float, dx: Array) -> None: ...
    def sigmoid_forward(self, x: Array, y: Array) -> None: ...
    def sigmoid_backward(self, y: Array, dy: Array, dx: Array) -> None: ...
    def tanh_forward(self, x: Array, y: Array) -> None: ...
    def tanh_backward(self, y: Array, dy: Array, dx: Array) -> None: ...
    def gelu_forward(self, x: Array, y: Array) -> None: ...
    def gelu_backward(self, x: Array, dy: Array, dx: Array) -> None: ...
    def silu_forward(self, x: Array, y: Array) -> None: ...
    def silu_backward(self, x: Array, dy: Array, dx: Array) -> None: ...

    # array
    def empty(self, shape: tuple[int, ...], dtype: "DTypeLike" = ...) -> Array: ...
    def zeros(self, shape: tuple[int, ...], dtype: "DTypeLike" = ...) -> Array: ...
    def upload(self, host: "np.ndarray") -> Array: ...
    def download(self, array: Array) -> "np.ndarray": ...
    def pack(self, images: Array, x: Array) -> None: ...
    def unpack(self, x: Array, images: Array) -> None: ...
    def accumulate(self, values: Array, total: Array) -> None: ...
    def captured(self, function: Function) -> Function: ...

    # batch
    def gather_batch(
        self,
        images: Array,
        labels: Array,
        order: Array,
        start: Array,
        count: int,
        scale: float,
        shift: float,
        x: Array,
        targets: Array,
    ) -> None: ...
    def augment_batch(
        self,
        images: Array,
        labels: Array,
        order: Array,
        start: Array,
        count: int,
        scale: float,
        shift: float,
        seed: int,
        epoch: Array,
        effects: Effects,
        x: Array,
        targets: Array,
    ) -> None: ...

    # batchnorm
    def batchnorm_forward(
        self,
        x: Array,
        gamma: Array,
        beta: Array,
        count: int,
        epsilon: float,
        momentum: float,
        running_mean: Array,
        running_var: Array,
        mean: Array,
        var: Array,
        y: Array,
    ) -> None: ...
    def batchnorm_inference(
        self, x: Array, gamma: Array, beta: Array, mean: Array, var: Array, epsilon: float, y: Array
    ) -> None: ...
    def batchnorm_backward(
        self,
        x: Array,
        dy: Array,
        gamma: Array,
        mean: Array,
        var: Array,
        count: int,
        epsilon: float,
        dgamma: Array,
        dbeta: Array,
        dx: Array,
    ) -> None: ...
    def batchnorm_fold(
        self,
        weight: Array,
        bias: Array,
        gamma: Array,
        beta: Array,
        mean: Array,
        var: Array,
        epsilon: float,
        folded_weight: Array,
        folded_bias: Array,
    ) -> None: ...

    # conv2d
    def conv2d_forward(
        self, x: Array, weight: Array, bias: Array, stride: int, top: int, left: int, y: Array
    ) -> None: ...
    def conv2d_backward_input(self, dy: Array, weight: Array, stride: int, top: int, left: int, dx: Array) -> None: ...
    def conv2d_backward_weight(
        self, x: Array, dy: Array, stride: int, top: int, left: int, dweight: Array, dbias: Array
    ) -> None: ...

    # ctc
    def ctc_loss(
        self,
        scores: Array,
        labels: Array,
        steps: Array,
        count: int,
        reached: Array,
        remaining: Array,
        loss: Array,
        dscores: Array,
    ) -> None: ...

    # dense
    def dense_forward(self, x: Array, weight: Array, bias: Array, y: Array) -> None: ...
    def dense_backward_input(self, dy: Array, weight: Array, dx: Array) -> None: ...
    def dense_backward_weight(self, x: Array, dy: Array, dweight: Array, dbias: Array) -> None: ...

    # elementwise
    def copy(self, x: Array, y: Array) -> None: ...
    def add(self, a: Array, b: Array, y: Array) -> None: ...
    def dropout(self, x: Array, mask: Array, rate: float, y: Array) -> None: ...

    # fused
    def add_relu(self, a: Array, b: Array, y: Array) -> None: ...
    def batchnorm_relu_forward(
        self,
        x: Array,
        gamma: Array,
        beta: Array,
        count: int,
        epsilon: float,
        momentum: float,
        running_mean: Array,
        running_var: Array,
        mean: Array,
        var: Array,
        y: Array,
    ) -> None: ...
    def batchnorm_relu_inference(
        self, x: Array, gamma: Array, beta: Array, mean: Array, var: Array, epsilon: float, y: Array
    ) -> None: ...
    def batchnorm_relu_backward(
        self,
        x: Array,
        y: Array,
        dy: Array,
        gamma: Array,
        mean: Array,
        var: Array,
        count: int,
        epsilon: float,
        dgamma: Array,
        dbeta: Array,
        dx: Array,
    ) -> None: ...
    def dense_relu_forward(self, x: Array, weight: Array, bias: Array, y: Array) -> None: ...
    def dense_backward(
        self, x: Array, dy: Array, weight: Array, relu_input: bool, dx: Array, dweight: Array, dbias: Array
    ) -> None: ...
    def conv2d_relu_forward(
        self, x: Array, weight: Array, bias: Array, stride: int, top: int, left: int, y: Array
    ) -> None: ...
    def conv2d_backward(
        self,
        x: Array,
        dy: Array,
        weight: Array,
        stride: int,
        top: int,
        left: int,
        relu_input: bool,
        dx: Array,
        dweight: Array,
        dbias: Array,
    ) -> None: ...
    def conv2d_relu_maxpool_forward(
        self, x: Array, weight: Array, bias: Array, top: int, left: int, y: Array, pool_mask: Array
    ) -> None: ...
    def conv2d_relu_avgpool_forward(
        self, x: Array, weight: Array, bias: Array, top: int, left: int, y: Array, pool_mask: Array
    ) -> None: ...
    def conv2d_relu_maxpool_backward(
        self,
        x: Array,
        dy: Array,
        pool_mask: Array,
        weight: Array,
        top: int,
        left: int,
        relu_input: bool,
        dx: Array,
        dweight: Array,
        dbias: Array,
    ) -> None: ...
    def conv2d_relu_avgpool_backward(
        self,
        x: Array,
        dy: Array,
        pool_mask: Array,
        weight: Array,
        top: int,
        left: int,
        relu_input: bool,
        dx: Array,
        dweight: Array,
        dbias: Array,
    ) -> None: ...
    def conv2d_relu_maxpool_backward_weight(
        self, x: Array, dy: Array, pool_mask: Array, top: int, left: int, dweight: Array, dbias: Array
    ) -> None: ...
    def conv2d_relu_avgpool_backward_weight(
        self, x: Array, dy: Array, pool_mask: Array, top: int, left: int, dweight: Array, dbias: Array
    ) -> None: ...

    # loss
    def softmax(self, scores: Array, probabilities: Array) -> None: ...
    def softmax_cross_entropy(
        self, scores: Array, targets: Array, count: int, smoothing: float, loss: Array, dscores: Array
    ) -> None: ...
    def mean_squared_error(
        self, scores: Array, targets: Array, count: int, smoothing: float, loss: Array, dscores: Array
    ) -> None: ...
    def weigh_losses(self, weights: Array, start: Array, offset: int, loss: Array, dscores: Array) -> None: ...
    def accumulate_metrics(self, scores: Array, targets: Array, loss: Array, hits: Array, totals: Array) -> None: ...

    # lrn
    def lrn_forward(self, x: Array, size: int, alpha: float, beta: float, k: float, base: Array, y: Array) -> None: ...
    def lrn_backward(
        self, x: Array, y: Array, dy: Array, base: Array, size: int, alpha: float, beta: float, dx: Array
    ) -> None: ...

    # optimizer
    def sgd_step(self, parameter: Array, gradient: Array, rate: Array, weight_decay: float) -> None: ...
    def momentum_step(
        self, parameter: Array, gradient: Array, velocity: Array, rate: Array, momentum: float, weight_decay: float
    ) -> None: ...
    def nesterov_step(
        self, parameter: Array, gradient: Array, velocity: Array, rate: Array, momentum: float, weight_decay: float
    ) -> None: ...
    def adam_step(
        self,
        parameter: Array,
        gradient: Array,
        mean: Array,
        square: Array,
        rate: Array,
        step: Array,
        beta1: float,
        beta2: float,
        epsilon: float,
        weight_decay: float,
    ) -> None: ...
    def adamw_step(
        self,
        parameter: Array,
        gradient: Array,
        mean: Array,
        square: Array,
        rate: Array,
        step: Array,
        beta1: float,
        beta2: float,
        epsilon: float,
        weight_decay: float,
    ) -> None: ...
    def clip_norm(self, gradient: Array, limit: float, sums: Array, factor: Array) -> None: ...
    def average_step(self, parameter: Array, step: Array, decay: float, average: Array) -> None: ...

    # pool2d
    def maxpool2d_forward(self, x: Array, window: tuple[int, int], stride: int, y: Array) -> None: ...
    def maxpool2d_backward(self, x: Array, dy: Array, window: tuple[int, int], stride: int, dx: Array) -> None: ...
    def avgpool2d_forward(self, x: Array, window: tuple[int, int], stride: int, y: Array) -> None: ...
    def avgpool2d_backward(self, dy: Array, window: tuple[int, int], stride: int, dx: Array) -> None: ...

    # random
    def random_uniform(self, seed: int, stream: int, step: int, values: Array) -> None: ...
    def random_permutation(self, seed: int, step: int, order: Array) -> None: ...
    def random_mask(self, seed: int, stream: int, step: Array, rate: float, mask: Array) -> None: ...

    # steps
    def next_step(
        self, plan: Array, rates: Array, taken: Array, epoch: Array, start: Array, step: Array, rate: Array
    ) -> None: ...
