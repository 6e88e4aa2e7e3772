"""Explain a prediction: the activations of every layer, and the pixels that the prediction depends on."""

from dataclasses import dataclass

import numpy as np

from fastdigits.data.batches import Batches
from fastdigits.errors import NotFiniteError, UserError
from fastdigits.inspection.stages import stages_of
from fastdigits.nn import Dropout, Flatten, Network
from fastdigits.nn.layers import Layer
from fastdigits.ops.interface import Array, Ops
from fastdigits.storage.weights import SavedNetwork

NOISY_COPIES = 25  # of SmoothGrad
NOISE = 0.15  # their standard deviation, on the scale of brightness from 0 to 1
UNCHANGING = (Flatten, Dropout)  # layers that do not change the values of their input in inference


@dataclass(frozen=True, eq=False)
class Explanation:
    """Explanation of the prediction for one image.

    Attributes
    ----------
    image : uint8 (H, W)
        The prepared image, as the network gets it.
    probabilities : float32 (classes,)
    maps : dict of float32 (C, H, W) or (units,)
        Output of each stage of the network, by the names of the stage's layers.
    saliency : float32 (H, W)
        Gradient of the highest score, or of its difference to that of `against`, with respect to the brightness of each
        pixel, on the scale from 0 to 1.
    smooth_saliency : float32 (H, W)
        Mean of these gradients over noisy copies of the image (SmoothGrad); empty unless asked for.
    margin : float
        Difference of the highest score to that of `against`, or else to the second-highest.
    """

    image: np.ndarray
    probabilities: np.ndarray
    maps: dict[str, np.ndarray]
    saliency: np.ndarray
    smooth_saliency: np.ndarray
    margin: float

    @property
    def digit(self) -> int:
        """The predicted class."""
        return int(self.probabilities.argmax())


def explain(
    saved: SavedNetwork, image: np.ndarray, ops: Ops, against: int | None = None, smooth: bool = False
) -> Explanation:
    """Predict the class of an image, uint8 (H, W), and explain the prediction.

    Parameters
    ----------
    saved : SavedNetwork
    image : uint8 (H, W)
    ops : Ops
    against : int, optional
        Explain why the network does not predict this class.
    smooth : bool
        Whether to compute `smooth_saliency`, which takes NOISY_COPIES times as long as everything else.

    Raises
    ------
    UserError
        If the image does not have the size that the network expects, an activation is NaN or infinite, or the network
        predicts `against`.

    References
    ----------
    Simonyan, Vedaldi and Zisserman (2014), Deep inside convolutional networks: visualising image classification
    models and saliency maps.
    Smilkov, Thorat, Kim, Viegas and Wattenberg (2017), SmoothGrad: removing noise by adding noise.
    """
    explainer = Explainer(saved, ops, training=True)
    network, x = explainer.network, explainer.input(image)
    with np.errstate(over="ignore", invalid="ignore"):  # an error, which `maps` raises, says more than a warning
        scores, gradient = gradient_of_winner(network, x, against)
    maps = explainer.maps()
    p = ops.empty(scores.shape)
    ops.softmax(scores, p)
    values, std = _first_image(ops, scores), np.float32(saved.normalisation.std)
    winner = int(values.argmax())
    if winner == against:
        raise UserError(f"The network predicts {saved.class_names[winner]}; choose a class that it does not predict.")
    rival = float(np.delete(values, winner).max() if against is None else values[against])
    saliency = _first_image(ops, gradient)[0] / std
    smoothed = (
        _smooth_gradient(network, x, winner, against, NOISE / float(std)) / std
        if smooth
        else np.empty((0, 0), np.float32)
    )
    return Explanation(
        image=saved.normalisation.preparation.apply(image[np.newaxis])[0],
        probabilities=_first_image(ops, p),
        maps=maps,
        saliency=saliency,
        smooth_saliency=smoothed,
        margin=float(values[winner]) - rival,
    )


class Explainer:
    """Runner of a network on single images that gives access to the outputs of all layers.

    Parameters
    ----------
    saved : SavedNetwork
    ops : Ops
    training : bool
        Whether to allow the backward pass, for gradients.
    """

    def __init__(self, saved: SavedNetwork, ops: Ops, training: bool = False):
        self.normalisation = saved.normalisation
        self.network = saved.built(ops, 1, training, fused=False)
        self.stages = _stage_outputs(self.network)

    def input(self, image: np.ndarray) -> Array:
        """Return the network input (1, 1, H, W, L) for an image uint8 (H, W); raise UserError if its size is wrong."""
        images, ops = image[np.newaxis], self.network.ops
        self.network.check_images(images, None, self.normalisation.preparation.pad)
        batches = Batches(ops, images, None, 1, self.normalisation)
        [(x, _, _)] = batches.over(ops.upload(np.zeros(1, np.int32)))
        return x

    def forward(self, image: np.ndarray) -> None:
        """Run the network on an image uint8 (H, W); raise UserError if its size is wrong."""
        with np.errstate(over="ignore", invalid="ignore"):  # `maps` raises an error
            self.network.forward(self.input(image))

    def maps(self) -> dict[str, np.ndarray]:
        """Return the outputs of all stages for the last image, as in Explanation.maps.

        Raises
        ------
        NotFiniteError
            If one of them holds NaN or infinity.
        """
        maps = {name: _first_image(self.network.ops, layer.y) for name, layer in self.stages.items()}
        if not all(np.isfinite(values).all() for values in maps.values()):
            raise NotFiniteError
        return maps


def gradient_of_winner(network: Network, x: Array, against: int | None = None) -> tuple[Array, Array]:
    """Return the scores of a batch x (B, C, H, W, L), and the gradient of the first image's highest score.

    The gradient is with respect to x; with `against` it is that of the difference to the score of this class. The
    network must be built for training and without fusion.
    """
    scores = network.forward(x)
    return scores, _gradient(network, int(_first_image(network.ops, scores).argmax()), against)


def _gradient(network: Network, winner: int, against: int | None) -> Array:
    """Return the gradient of the last forward pass's input, for the score of `winner`, minus that of `against`."""
    direction = np.zeros(network.scores.shape, np.float32)
    direction[0, winner, 0] = 1
    if against is not None:
        direction[0, against, 0] -= 1
    return network.input_gradient(network.ops.upload(direction))


def _smooth_gradient(network: Network, x: Array, winner: int, against: int | None, deviation: float) -> np.ndarray:
    """Return the mean gradient, float32 (H, W), over copies of the input with Gaussian noise."""
    ops, random = network.ops, np.random.default_rng(0)
    clean = ops.download(x)
    total = np.zeros(clean.shape[2:4], np.float32)
    for _ in range(NOISY_COPIES):
        noise = random.standard_normal(clean.shape, np.float32) * np.float32(deviation)
        network.forward(ops.upload(clean + noise))
        total += _first_image(ops, _gradient(network, winner, against))[0]
    return total / np.float32(NOISY_COPIES)


def _stage_outputs(network: Network) -> dict[str, Layer]:
    """Return for each stage its last layer that changes its input, by the names of the stage's layers."""
    outputs = {}
    for stage in stages_of(network):
        changing = [layer for layer in stage.layers if not isinstance(layer, UNCHANGING)]
        if changing:
            changes = [type(layer).__name__ for layer in stage.layers[1:]]
            outputs[", ".join([stage.names[0], *changes])] = changing[-1]
    return outputs


def _first_image(ops: Ops, array: Array) -> np.ndarray:
    return ops.download(array)[0, ..., 0]
