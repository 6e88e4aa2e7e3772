"""A network that reads lines of symbols: it gives scores at time steps instead of one score per class."""

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer, Shape, TrainingStep, format_shape
from fastdigits.nn.network import Network
from fastdigits.ops.interface import Array, Ops


class SequenceNetwork(Network):
    """A fully convolutional network from images of one height and any width to scores at time steps, left to right.

    The last layer gives one row of pixels: the time steps. Its channels are the scores of the symbols and, as the last
    one, of the blank; see `ops.ctc`.

    Parameters
    ----------
    layers : list of Layer
        None whose parameters depend on the width, such as Dense.
    input_shape : (channels, rows, columns)
    symbols : str

    Raises
    ------
    UserError
        If a layer cannot take the output of the layer before it, or the last one does not give one row with a channel
        for each symbol and the blank.
    """

    def __init__(self, layers: list[Layer], input_shape: Shape, symbols: str):
        self.symbols = symbols
        super().__init__(layers, input_shape)

    @classmethod
    def from_config(cls, config: dict) -> "SequenceNetwork":
        """Create a network from the result of `config`; raise UserError if it is damaged."""
        try:
            symbols = config["symbols"]
            if not isinstance(symbols, str):
                raise TypeError(f"symbols are {symbols!r}")
            return cls(cls._layers_from(config), tuple(config["input_shape"]), symbols)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise UserError(f"The description of the network is damaged: {error}.") from None

    def config(self) -> dict:
        """Describe the architecture in plain JSON types."""
        return super().config() | {"symbols": self.symbols}

    def steps_of(self, width: int) -> int:
        """Return the number of time steps of an image of this width.

        Raises
        ------
        UserError
            If it is too narrow for the layers.
        """
        return self._of_width(width).output_shape[2]

    def at_width(
        self, width: int, batch_size: int, training: bool = False, ops: Ops | None = None
    ) -> "SequenceNetwork":
        """Return the network for images of another width, with the same parameters and statistics in memory.

        Parameters
        ----------
        width, batch_size : int
        training : bool
            Whether to allocate buffers for training; the network must be built for training, too.
        ops : Ops, optional
            Of the same device; by default those of this network.
        """
        network = self._of_width(width)
        for shared, parameter in zip(network.state().values(), self.state().values(), strict=True):
            shared.value, shared.gradient = parameter.value, parameter.gradient
        network.buffer = self.buffer
        network._allocate(ops or self.ops, batch_size, training, self.fused)
        return network

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """Compute the scores float32 (B, K, T, L) of a batch; see `Network.forward`."""
        scores = super().forward(x, training)
        K, _, T = self.output_shape
        return scores.reshape(len(x), K, T, self.ops.lanes)

    def backward(self, dscores: Array) -> None:
        """Fill the gradients of all parameters, given that of the scores, float32 (B, K, T, L)."""
        super().backward(dscores.reshape(len(dscores), *self.output_shape, self.ops.lanes))

    def _of_width(self, width: int) -> "SequenceNetwork":
        channels, rows, _ = self.input_shape
        return SequenceNetwork(self.layers, (channels, rows, width), self.symbols)

    def _check_output(self, shape: Shape) -> Shape:
        if len(set(self.symbols)) != len(self.symbols) or not self.symbols:
            raise UserError(f"The symbols '{self.symbols}' must be different characters, at least one.")
        if len(shape) != 3 or shape[:2] != (len(self.symbols) + 1, 1):
            raise UserError(
                f"The last layer must give one row with {len(self.symbols) + 1} channels, one for each symbol and one "
                f"for the blank, not {format_shape(shape)}."
            )
        return shape
