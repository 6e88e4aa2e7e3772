"""What a network sees in one image: what every layer makes of it, and which pixels decide."""

from dataclasses import dataclass

import numpy as np

from fastdigits.data.batches import Batches
from fastdigits.inspection.stages import stages_of
from fastdigits.nn import Dropout, Flatten, Network
from fastdigits.nn.layers import Layer
from fastdigits.ops.interface import Array, Ops
from fastdigits.storage.weights import SavedNetwork

UNCHANGING = (Flatten, Dropout)  # layers that, in use, hand on what they get


@dataclass(frozen=True, eq=False)
class Explanation:
    """How a network reads an image.

    Attributes
    ----------
    image : uint8 (H, W)
        As the network sees it, prepared.
    probabilities : float32 (classes,)
    maps : dict of float32 arrays (C, H, W) or (units,)
        What each stage of the network makes, by the names of its layers.
    saliency : float32 (H, W)
        The gradient of the winning score by the brightness, 0 to 1, of each pixel.
    """

    image: np.ndarray
    probabilities: np.ndarray
    maps: dict[str, np.ndarray]
    saliency: np.ndarray

    @property
    def digit(self) -> int:
        """The class of the highest score."""
        return int(self.probabilities.argmax())


def explain(saved: SavedNetwork, image: np.ndarray, ops: Ops) -> Explanation:
    """Read an image, uint8 (H, W), and look at what happens in the network.

    Raises
    ------
    UserError
        If the network reads images of another size.

    References
    ----------
    Simonyan, Vedaldi and Zisserman (2014), Deep inside convolutional networks: visualising image classification
    models and saliency maps.
    """
    explainer = Explainer(saved, ops, training=True)
    scores, gradient = gradient_of_winner(explainer.network, explainer.input(image))
    shares = ops.empty(scores.shape)
    ops.softmax(scores, shares)
    return Explanation(
        image=saved.normalisation.preparation.apply(image[np.newaxis])[0],
        probabilities=_of_first(ops, shares),
        maps=explainer.maps(),
        saliency=_of_first(ops, gradient)[0] / np.float32(saved.normalisation.std),
    )


class Explainer:
    """A network that is run layer by layer on one image after the other, so that what lies between can be seen.

    Parameters
    ----------
    saved : SavedNetwork
    ops : Ops
    training : bool
        Whether the network can also go backwards.
    """

    def __init__(self, saved: SavedNetwork, ops: Ops, training: bool = False):
        self.normalisation = saved.normalisation
        self.network = saved.built(ops, 1, training, fused=False)
        self.stages = _making(self.network)

    def input(self, image: np.ndarray) -> Array:
        """The network's input (1, 1, H, W, L) of an image uint8 (H, W); UserError if it is of another size."""
        images, ops = image[np.newaxis], self.network.ops
        self.network.check_images(images, None, self.normalisation.preparation.pad)
        batches = Batches(ops, images, None, 1, self.normalisation)
        [(x, _, _)] = batches.over(ops.upload(np.zeros(1, np.int32)))
        return x

    def forward(self, image: np.ndarray) -> None:
        """Let the network read an image uint8 (H, W); UserError if it is of another size."""
        self.network.forward(self.input(image))

    def maps(self) -> dict[str, np.ndarray]:
        """What the stages made of the last image: float32 (C, H, W) or (units,), by the names of their layers."""
        return {name: _of_first(self.network.ops, layer.y) for name, layer in self.stages.items()}


def gradient_of_winner(network: Network, x: Array) -> tuple[Array, Array]:
    """The scores of a batch x (B, C, H, W, L), and the gradient of the highest score of its first image by x.

    The network must be built for training and without fused steps.
    """
    ops, scores = network.ops, network.forward(x)
    winner = np.zeros(scores.shape, np.float32)
    winner[0, _of_first(ops, scores).argmax(), 0] = 1
    return scores, network.input_gradient(ops.upload(winner))


def _making(network: Network) -> dict[str, Layer]:
    """The layer that gives what each stage makes, by the names of the stage's layers."""
    making = {}
    for stage in stages_of(network):
        changing = [layer for layer in stage.layers if not isinstance(layer, UNCHANGING)]
        if changing:
            changes = [type(layer).__name__ for layer in stage.layers[1:]]
            making[", ".join([stage.names[0], *changes])] = changing[-1]
    return making


def _of_first(ops: Ops, array: Array) -> np.ndarray:
    return ops.download(array)[0, ..., 0]
