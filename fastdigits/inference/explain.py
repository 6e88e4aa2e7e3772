"""Explain a prediction: the activations of every layer, and the pixels that the prediction depends on."""

from dataclasses import dataclass

import numpy as np

from fastdigits.data.batches import Batches
from fastdigits.errors import NotFiniteError
from fastdigits.inspection.stages import stages_of
from fastdigits.nn import Dropout, Flatten, Network
from fastdigits.nn.layers import Layer
from fastdigits.ops.interface import Array, Ops
from fastdigits.storage.weights import SavedNetwork

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
        Gradient of the highest score with respect to the brightness of each pixel, on the scale from 0 to 1.
    """

    image: np.ndarray
    probabilities: np.ndarray
    maps: dict[str, np.ndarray]
    saliency: np.ndarray

    @property
    def digit(self) -> int:
        """The predicted class."""
        return int(self.probabilities.argmax())


def explain(saved: SavedNetwork, image: np.ndarray, ops: Ops) -> Explanation:
    """Predict the class of an image, uint8 (H, W), and explain the prediction.

    Raises
    ------
    UserError
        If the image does not have the size that the network expects, or an activation is NaN or infinite.

    References
    ----------
    Simonyan, Vedaldi and Zisserman (2014), Deep inside convolutional networks: visualising image classification
    models and saliency maps.
    """
    explainer = Explainer(saved, ops, training=True)
    with np.errstate(over="ignore", invalid="ignore"):  # an error, which `maps` raises, says more than a warning
        scores, gradient = gradient_of_winner(explainer.network, explainer.input(image))
    maps = explainer.maps()
    p = ops.empty(scores.shape)
    ops.softmax(scores, p)
    return Explanation(
        image=saved.normalisation.preparation.apply(image[np.newaxis])[0],
        probabilities=_first_image(ops, p),
        maps=maps,
        saliency=_first_image(ops, gradient)[0] / np.float32(saved.normalisation.std),
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


def gradient_of_winner(network: Network, x: Array) -> tuple[Array, Array]:
    """Return the scores of a batch x (B, C, H, W, L), and the gradient of the first image's highest score.

    The gradient is with respect to x. The network must be built for training and without fusion.
    """
    ops, scores = network.ops, network.forward(x)
    winner = np.zeros(scores.shape, np.float32)
    winner[0, _first_image(ops, scores).argmax(), 0] = 1
    return scores, network.input_gradient(ops.upload(winner))


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
