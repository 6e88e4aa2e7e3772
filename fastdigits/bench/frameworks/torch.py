"""PyTorch: the exported module, trained eagerly as in PyTorch's own tutorials."""

from typing import Any

import numpy as np
import torch
from torch import nn

from fastdigits.bench.frameworks.training import exported, in_batches
from fastdigits.config.training import TrainConfig
from fastdigits.export.tensors import state_dict
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.optimizer import EPSILON, lr_of, weight_decay_of

TITLE = "PyTorch"
SGD, ADAM = torch.optim.SGD, {"eps": EPSILON, "fused": True}
# Optimizers by our names: their class, and the options that are not settings of ours
OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (SGD, {}),
    "momentum": (SGD, {}),
    "nesterov": (SGD, {"nesterov": True}),
    "adam": (torch.optim.Adam, ADAM),
    "adamw": (torch.optim.AdamW, ADAM),
}


def version() -> str:
    """Return the version of the framework."""
    return torch.__version__


def why_unavailable(device: str) -> str | None:
    """Return why a device cannot be used, or None if it can."""
    return "PyTorch finds no GPU" if device == "cuda" and not torch.cuda.is_available() else None


def why_different(config: TrainConfig) -> str | None:
    """Return None, because all of OPTIMIZERS compute the same as ours."""
    return None


class Trainer:
    """See bench.frameworks.training.Trainer."""

    def __init__(
        self,
        saved: SavedNetwork,
        config: TrainConfig,
        images: np.ndarray,
        labels: np.ndarray,
        device: str,
        threads: int,
    ):
        torch.set_num_threads(threads)
        torch.manual_seed(config.seed)  # of dropout
        self.device = device
        defined = exported(saved, "torch")
        self.prepare, self.network = defined["prepare"], defined["Network"]()
        self.network.load_state_dict({name: torch.from_numpy(array) for name, array in state_dict(saved).items()})
        self.network.to(device)
        kind, options = OPTIMIZERS[config.optimizer]
        self.optimizer = kind(
            self.network.parameters(),
            lr=lr_of(config),
            weight_decay=weight_decay_of(config),
            **({"momentum": config.momentum} if config.optimizer in ("momentum", "nesterov") else {}),
            **({"betas": (config.beta1, config.beta2)} if options is ADAM else {}),
            **options,
        )
        self.loss = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
        prepared = in_batches(lambda some: self.prepare(torch.from_numpy(some)).numpy(), images)
        self.images = torch.from_numpy(prepared).to(device)
        self.labels = torch.from_numpy(labels.astype(np.int64)).to(device)
        self.sums = torch.zeros(2, device=device)

    def step(self, rows: np.ndarray, rate: float) -> None:
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        index = torch.from_numpy(rows).to(self.device)
        x, targets = self.images[index], self.labels[index]
        self.optimizer.zero_grad()
        scores = self.network(x)
        loss = self.loss(scores, targets)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.sums[0] += loss * len(rows)
            self.sums[1] += (scores.argmax(1) == targets).sum()

    def totals(self) -> tuple[float, float]:
        loss, hits = self.sums.tolist()  # waits for the device
        self.sums.zero_()
        return loss, hits

    def scores(self, images: np.ndarray) -> np.ndarray:
        self.network.eval()
        with torch.inference_mode():
            return self.network(self.prepare(torch.from_numpy(images)).to(self.device)).cpu().numpy()
