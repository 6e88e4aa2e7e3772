"""PyTorch: the same network with the same weights, run eagerly, in channels_last order or with torch.compile."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from fastdigits.bench.rivals import bottom_right_padding, translation
from fastdigits.bench.rivals.limit import try_compiled
from fastdigits.bench.workload import Contender, Workload
from fastdigits.nn import BatchNorm, Conv2D, Network, Residual, sequence
from fastdigits.nn.layers import Layer
from fastdigits.training.optimizer import EPSILON

NAME = "torch"


def version() -> str:
    """Return the version of the framework."""
    return torch.__version__


def training(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contenders that run training steps, with both of PyTorch's implementations of AdamW."""
    variants = [("eager", False, True), ("eager, unfused AdamW", False, False), ("channels_last", True, True)]
    found = [_training(workload, *variant) for variant in variants if has_convolution(workload) or not variant[1]]
    if compiled:
        found += try_compiled("torch.compile", lambda: _training(workload, "compile", False, True, _compile), say)
    return found


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contenders that compute the scores of the batch under torch.inference_mode."""
    found = [_inference(workload, "eager", False)]
    if has_convolution(workload):
        found.append(_inference(workload, "channels_last", True))
    if compiled:
        found += try_compiled("torch.compile", lambda: _inference(workload, "compile", False, _compile), say)
    return found


def module_of(network: Network, weights: dict[str, np.ndarray]) -> nn.Sequential:
    """Return the same network with the same weights as a PyTorch module.

    Raises
    ------
    UserError
        If LAYERS does not have one of its layers.
    """
    module = nn.Sequential(_modules(network.names, network.layers))
    tensors = by_our_names(module)
    with torch.no_grad():
        for name, array in weights.items():
            tensors[name].copy_(torch.from_numpy(array).reshape(tensors[name].shape))
    return module


class TorchTrainer:
    """The network and the batch of a workload on a device, and AdamW with the given options of torch.optim.AdamW."""

    def __init__(
        self, workload: Workload, device: str, channels_last: bool, compile_: Callable | None = None, **options: Any
    ):
        self.workload = workload
        self.module, self.x = module_and_images(workload, device, channels_last)
        self.labels = torch.from_numpy(workload.labels).to(device)
        self.forward = compile_(self.module) if compile_ else self.module
        recipe = workload.recipe
        options |= {"betas": (recipe.beta1, recipe.beta2), "eps": EPSILON, "weight_decay": recipe.weight_decay}
        self.optimizer = torch.optim.AdamW(self.module.parameters(), lr=0.0, **options)  # 0: see bench/networks.py

    def step(self) -> None:
        """Run one training step on the batch."""
        self.optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(self.forward(self.x), self.labels).backward()
        self.optimizer.step()

    def gradients(self) -> dict[str, np.ndarray]:
        """Return the gradients of the last step, with our names and shapes."""
        parameters = {name: tensor for name, tensor in by_our_names(self.module).items() if tensor.requires_grad}
        gradients = {name: parameter.grad.cpu().numpy() for name, parameter in parameters.items()}
        return {name: gradient.reshape(self.workload.weights[name].shape) for name, gradient in gradients.items()}


def module_and_images(workload: Workload, device: str, channels_last: bool) -> tuple[nn.Sequential, torch.Tensor]:
    """Return (the network with its weights, the images) on a device."""
    torch.set_num_threads(workload.threads)
    module, x = module_of(workload.network, workload.weights).to(device), torch.from_numpy(workload.images).to(device)
    if not channels_last:
        return module, x
    return module.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)


def by_our_names(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return parameters and running statistics by our names: PyTorch's "residual_1.conv2d_1.weight" is our
    "residual_1/conv2d_1.weight".
    """
    found = {}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        owner, _, last = name.rpartition(".")
        if isinstance(module.get_submodule(owner), nn.BatchNorm1d | nn.BatchNorm2d):
            last = {"weight": "gamma", "bias": "beta"}.get(last, last)
        found[f"{owner}.{last}".replace(".", "/", 1)] = tensor
    return found


def has_convolution(workload: Workload) -> bool:
    """Whether the network has a convolution, so that the order of the channels in memory matters."""
    return any(isinstance(layer, Conv2D) for layer in sequence.walk(workload.network.layers))


def _modules(names: list[str], layers: list[Layer]) -> OrderedDict[str, nn.Module]:
    found = OrderedDict()
    for name, layer in zip(names, layers, strict=True):
        found[name] = translation(LAYERS, layer, "PyTorch")(layer)
    return found


def _training(
    workload: Workload, variant: str, channels_last: bool, fused: bool, compile_: Callable | None = None
) -> Contender:
    trainer = TorchTrainer(workload, "cpu", channels_last, compile_, fused=fused)

    def run(steps: int) -> None:
        for _ in range(steps):
            trainer.step()

    def outputs() -> dict[str, np.ndarray]:
        run(1)
        return trainer.gradients()

    return Contender(NAME, variant, run, outputs)


def _inference(workload: Workload, variant: str, channels_last: bool, compile_: Callable | None = None) -> Contender:
    module, x = module_and_images(workload, "cpu", channels_last)
    module.eval()
    forward = compile_(module) if compile_ else module

    def run(steps: int) -> None:
        with torch.inference_mode():
            for _ in range(steps):
                forward(x)

    def outputs() -> dict[str, np.ndarray]:
        with torch.inference_mode():
            return {"scores": forward(x).numpy().copy()}

    return Contender(NAME, variant, run, outputs)


def _compile(module: nn.Module) -> Callable:
    from torch._inductor import config

    config.compile_threads = 1  # otherwise idle compiler processes stay and disturb the measurement
    torch._dynamo.reset()  # drops what was compiled for other networks
    return torch.compile(module, dynamic=False)


def _convolution(layer: Conv2D) -> nn.Module:
    sizes, (bottom, right) = layer.weight.shape, bottom_right_padding(layer)
    if (layer.top, layer.left) == (bottom, right) and min(bottom, right) >= 0:
        return nn.Conv2d(sizes[1], sizes[0], sizes[2:], layer.stride, padding=(layer.top, layer.left))
    convolution = _AsymmetricallyPadded(sizes[1], sizes[0], sizes[2:], layer.stride)
    convolution.pads = (layer.left, right, layer.top, bottom)
    return convolution


class _AsymmetricallyPadded(nn.Conv2d):
    """A convolution with asymmetric or negative padding, which nn.Conv2d does not support."""

    pads: tuple[int, int, int, int]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(nn.functional.pad(x, self.pads))


class _Residual(nn.Module):
    def __init__(self, layer: Residual):
        super().__init__()
        for name, module in _modules(*layer.children()).items():
            self.add_module(name, module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        modules = dict(self.named_children())
        skip, y = modules.pop("projection", None), x
        for module in modules.values():
            y = module(y)
        return y + (skip(x) if skip else x)


def _batch_norm(layer: BatchNorm) -> nn.Module:
    kind = nn.BatchNorm2d if len(layer.input_shape) == 3 else nn.BatchNorm1d
    return kind(layer.input_shape[0], layer.epsilon, layer.momentum)


# Our layers in PyTorch; a Workload has no Dropout
LAYERS: dict[str, Callable[[Any], nn.Module]] = {
    "Conv2D": _convolution,
    "Dense": lambda layer: nn.Linear(*reversed(layer.weight.shape)),
    "MaxPool2D": lambda layer: nn.MaxPool2d(layer.size, layer.stride),
    "AvgPool2D": lambda layer: nn.AvgPool2d(layer.size, layer.stride),
    "GlobalAvgPool2D": lambda layer: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "Flatten": lambda layer: nn.Flatten(),
    "BatchNorm": _batch_norm,
    "LocalResponseNorm": lambda layer: nn.LocalResponseNorm(layer.size, layer.alpha * layer.size, layer.beta, layer.k),
    "Residual": _Residual,
    "ReLU": lambda layer: nn.ReLU(),
    "LeakyReLU": lambda layer: nn.LeakyReLU(layer.slope),
    "Sigmoid": lambda layer: nn.Sigmoid(),
    "Tanh": lambda layer: nn.Tanh(),
    "GELU": lambda layer: nn.GELU(approximate="tanh"),
    "SiLU": lambda layer: nn.SiLU(),
}
