"""No result depends on what was in memory before: arrays are filled before they are read."""

import numpy as np
import pytest
from new_memory import FilledNumPy, bytes_of

from fastdigits import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU, Residual, Sequential
from fastdigits.ops.array import reference

NETWORKS = {
    "dense": [Flatten(), Dense(6), ReLU(), Dense(3)],
    "convolutions": [Conv2D(4, 3), ReLU(), MaxPool2D(2), Flatten(), Dropout(0.2), Dense(3)],
    "residual": [
        Conv2D(4, 3, padding=1),
        BatchNorm(),
        Residual([Conv2D(4, 3, padding=1), BatchNorm()]),
        Flatten(),
        Dense(3),
    ],
}


@pytest.mark.filterwarnings("ignore:The network is no better than chance")
@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("device", ["reference", "cpu"])
def test_no_result_depends_on_uninitialised_memory(layers, device, monkeypatch):
    rng = np.random.default_rng(3)
    images = np.pad(rng.integers(0, 256, (83, 6, 6), dtype=np.uint8), ((0, 0), (2, 2), (2, 2)))
    labels = rng.integers(0, 3, 83).astype(np.uint8)
    weights = rng.uniform(0.5, 2, 83)
    results = []
    for byte in (0, 255):
        monkeypatch.setattr(reference, "np", FilledNumPy(bytes_of(byte)))
        model, other = (Sequential(layers, input_shape=(1, 10, 10), device=device) for _ in range(2))
        history = model.fit(images, labels, epochs=2, batch_size=37, sample_weight=weights, ema=0.9, augment="shift=1")
        for count in (20, 33):
            other.train_on_batch(images[:count], labels[:count], sample_weight=weights[:count], batch_size=40)
        results.append(
            (
                history["train_loss"],
                model.evaluate(images, labels).loss,
                model.predict(images).tobytes(),
                other.predict(images).tobytes(),
            )
        )
    assert results[0] == results[1]
