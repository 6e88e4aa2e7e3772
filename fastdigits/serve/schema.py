"""What the OpenAPI description says of bodies and answers."""

from typing import Any

from pydantic import BaseModel, Field

from fastdigits.imaging.types import SIDE
from fastdigits.serve.bodies import FORM, JSON, PIXELS

PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/tiff", "image/gif")


class Problem(BaseModel):
    """Why a request got no answer."""

    error: str = Field(description="What is wrong and how to mend it, in one sentence.")


class Maps(BaseModel):
    """What one layer of the network makes of the image."""

    layer: str = Field(description="The layer and those that alter what it gives, such as 'conv2d_1, ReLU'.")
    shape: list[int] = Field(description="Maps, rows and columns; of a dense layer the number of units alone.")
    total: int = Field(description="How many maps or units the layer has; only the first ones may be here.")
    low: float = Field(description="The value that the level 0 stands for.")
    high: float = Field(description="The value that the level 255 stands for.")
    levels: str = Field(description="A byte for each value, row by row, in Base64.")


class Prediction(BaseModel):
    """What the network reads."""

    model: str
    digit: int = Field(ge=0, le=9)
    confidence: float = Field(ge=0, le=1, description="The probability of the digit.")
    probabilities: list[float] = Field(min_length=10, max_length=10, description="Of the digits 0 to 9.")
    second: int = Field(ge=0, le=9, description="The digit that is the next likely.")
    unsure: bool = Field(description="It may be another digit, or none at all.")
    image: list[list[int]] | None = Field(None, description="What the network sees: 28 rows of 28, with explain=true.")
    box: list[int] | None = Field(None, description="Where the ink lies in the picture: left, top, width, height.")
    features: list[Maps] | None = Field(None, description="What its layers make of it, with explain=true.")


class Offered(BaseModel):
    """A network that is served."""

    index: int
    name: str
    architecture: str
    parameters: int
    test_accuracy: float | None = Field(description="Share of MNIST's test images that it read right after training.")


class Offer(BaseModel):
    """All networks that are served."""

    models: list[Offered]


class Health(BaseModel):
    """That the server is up."""

    status: str
    version: str
    models: int
    uptime_s: float


def numbers(most: int) -> dict[str, Any]:
    """A list of numbers 0 .. 255 of one length."""
    number = {"type": "number", "minimum": 0, "maximum": 255}
    return {"type": "array", "minItems": most, "maxItems": most, "items": number}


GRID = {"type": "array", "minItems": SIDE, "maxItems": SIDE, "items": numbers(SIDE)}
EXAMPLE = [[0] * SIDE for _ in range(4)] + [
    [0] * 13 + [255, 255] + [0] * 13 if 4 <= row < 24 else [0] * SIDE for row in range(4, SIDE)
]
PIXELS_BODY = {
    "type": "object",
    "required": ["pixels"],
    "properties": {
        "pixels": {
            "description": "Numbers from 0 to 255, or from 0 to 1: so they are read if none is above 1.",
            "oneOf": [GRID, numbers(PIXELS)],
        }
    },
    "example": {"pixels": EXAMPLE},
}
FORM_BODY = {
    "type": "object",
    "required": ["picture"],
    "properties": {"picture": {"type": "string", "format": "binary", "description": "A picture; any name will do."}},
}
GRID_BODY = {
    "type": "object",
    "required": ["gridValues"],
    "properties": {
        "gridValues": GRID,
        "method": {"type": "integer", "minimum": 0, "default": 0, "description": "The index of the model."},
    },
    "example": {"gridValues": EXAMPLE, "method": 0},
}
DIGIT_AND_CONFIDENCE = {
    "type": "array",
    "minItems": 2,
    "maxItems": 2,
    "items": {"type": "string"},
    "description": "The digit and its probability, both as text.",
    "example": ["7", "0.9987"],
}


def body(content: dict[str, Any]) -> dict[str, Any]:
    """A request's body for a route that reads it itself: media types and their schemas."""
    return {"requestBody": {"required": True, "content": {kind: {"schema": shape} for kind, shape in content.items()}}}


REFUSALS: dict[int | str, Any] = {
    400: {"model": Problem, "description": "Not JSON, no picture, or a damaged one"},
    404: {"model": Problem, "description": "No such model"},
    408: {"model": Problem, "description": "The request did not arrive in time"},
    413: {"model": Problem, "description": "Too long"},
    415: {"model": Problem, "description": "Neither JSON nor a picture"},
    422: {"model": Problem, "description": "JSON of another shape, or other numbers"},
    503: {"model": Problem, "description": "Busy, or stopping"},
}


def parameter(name: str, shape: dict[str, Any], description: str) -> dict[str, Any]:
    """A parameter of the query."""
    return {"name": name, "in": "query", "required": False, "schema": shape, "description": description}


PICTURE = {"type": "string", "format": "binary"}
MODEL = parameter("model", {"type": "string", "default": "0"}, "The name of the model, or its index.")
EXPLAIN = parameter(
    "explain", {"type": "boolean", "default": False}, "Also tell what the network sees and what its layers make of it."
)
PREDICT: dict[str, Any] = {
    "summary": "Read a digit in pixels or in a picture",
    "response_model": Prediction,
    "responses": REFUSALS,
    "openapi_extra": body({JSON: PIXELS_BODY, FORM: FORM_BODY} | dict.fromkeys(PICTURE_TYPES, PICTURE))
    | {"parameters": [MODEL, EXPLAIN]},
}
NEURAL: dict[str, Any] = {
    "summary": "Read a digit on a grid",
    "responses": REFUSALS | {200: {"content": {JSON: {"schema": DIGIT_AND_CONFIDENCE}}, "description": "The reading"}},
    "openapi_extra": body({JSON: GRID_BODY}),
}
