"""The OpenAPI schemas of the requests and answers of the API."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from fastdigits.imaging.types import IMAGE_SIDE
from fastdigits.serve.bodies import FORM, JSON, PIXELS, TEXT, URLENCODED

HDF5 = "application/x-hdf5"
PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/tiff", "image/gif")


class ErrorMessage(BaseModel):
    """The answer to a request that failed."""

    error: str = Field(description="What is wrong and how to fix it, in one sentence.")


class FeatureMaps(BaseModel):
    """The output of one layer for the image."""

    layer: str = Field(description="The layer and those fused with it, such as 'conv2d_1, ReLU'.")
    shape: list[int] = Field(description="Maps, rows and columns; for a dense layer the number of units.")
    total: int = Field(description="The number of maps or units of the layer; the answer may hold only the first.")
    low: float = Field(description="The value of level 0.")
    high: float = Field(description="The value of level 255.")
    levels: str = Field(description="One byte per value, row by row, in Base64.")


class Prediction(BaseModel):
    """The prediction of a model."""

    model: str
    digit: int | None = Field(None, ge=0, le=9, description="The digit; absent if the classes are no digits.")
    label: str = Field(description="The name of the class, such as the digit as text.")
    confidence: float = Field(ge=0, le=1, description="The probability of the class.")
    probabilities: list[float] = Field(
        min_length=2, description="The probabilities of the model's classes, such as the digits 0 to 9."
    )
    second: int | str = Field(description="The second most probable digit, or the name of the second class.")
    unsure: bool = Field(description="Whether the picture may show another class, or none at all.")
    classes: list[str] | None = Field(None, description="The names of the model's classes; with explain=true.")
    no_digit: float = Field(
        ge=0, le=1, description="The probability that the picture shows no digit; 0 if the model has no output for it."
    )
    image: list[list[int]] | None = Field(
        None, description="The input of the network: 28 rows of 28 levels; with explain=true."
    )
    box: list[int] | None = Field(
        None, description="The bounding box of the ink in the picture: left, top, width, height; with explain=true."
    )
    features: list[FeatureMaps] | None = Field(None, description="The output of each layer; with explain=true.")


class Digit(BaseModel):
    """A digit of a number."""

    digit: int = Field(ge=0, le=9)
    confidence: float = Field(ge=0, le=1)
    box: list[int] = Field(description="Its bounding box in the picture: left, top, width, height.")


class Number(BaseModel):
    """The numbers in a picture."""

    model: str
    text: str = Field(description="Digits, separators and signs, one line for each number; empty if there is none.")
    confidence: float = Field(ge=0, le=1, description="The probability that the whole text is right.")
    unsure: bool = Field(description="Whether the confidence is too low to rely on the text.")
    digits: list[Digit] = Field(description="The digits, line by line from left to right.")
    single: Prediction | None = Field(
        None, description="The picture as a single digit, if it may be one; with explain=true."
    )


class Correction(BaseModel):
    """A corrected image."""

    id: int
    label: int = Field(ge=0, le=9, description="The right digit.")
    predicted: int = Field(ge=0, le=9, description="What the network said.")
    time: str
    image: str = Field(description="28 rows of 28 bytes, from 0 to 255, in Base64.")


class Corrections(BaseModel):
    """The corrections of a server."""

    file: str
    count: int
    limit: int
    per_digit: list[int] = Field(min_length=10, max_length=10)
    state: str = Field(description="preparing, ready or teaching.")
    progress: str = Field(description="Which kernel is being compiled, if any.")
    lessons: list[int] = Field(description="For each model, how many lessons can be undone.")
    samples: list[Correction] = Field(description="The newest corrections first, at most 100.")


class Added(BaseModel):
    """The corrections that a request added."""

    ids: list[int] = Field(description="One for each digit, from left to right.")
    count: int = Field(description="How many there are now.")


class Count(BaseModel):
    """The number of corrections."""

    count: int


class Lesson(BaseModel):
    """What a model has learned."""

    model: str
    corrections: int = Field(description="Corrected images.")
    right_before: int = Field(description="How many of them the model recognized before.")
    right_after: int = Field(description="How many of them it recognizes now.")
    mnist_images: int = Field(description="Images of MNIST that were held out of training.")
    mnist_right_before: int
    mnist_right_after: int
    seconds: float
    lessons: int = Field(description="How many lessons can be undone.")


class Lessons(BaseModel):
    """The lessons that remain."""

    model: str
    lessons: int


class Model(BaseModel):
    """A model of the server."""

    index: int
    name: str
    architecture: str
    parameters: int
    test_accuracy: float | None = Field(description="Accuracy on the test images, measured after training.")
    classes: list[str] = Field(description="Names of the classes.")


class ModelList(BaseModel):
    """All models of the server."""

    models: list[Model]
    learning: bool = Field(description="Whether the server keeps corrections and can be taught.")


class Health(BaseModel):
    """The state of the server."""

    status: str
    version: str
    models: int
    uptime_s: float


def numbers(count: int) -> dict[str, Any]:
    """Describe a list of `count` numbers from 0 to 255."""
    number = {"type": "number", "minimum": 0, "maximum": 255}
    return {"type": "array", "minItems": count, "maxItems": count, "items": number}


def body(content: dict[str, Any]) -> dict[str, Any]:
    """Describe the body of a route that parses it itself: media types and their schemas."""
    return {"requestBody": {"required": True, "content": {kind: {"schema": shape} for kind, shape in content.items()}}}


def parameter(name: str, shape: dict[str, Any], description: str) -> dict[str, Any]:
    """Describe a parameter of the query."""
    return {"name": name, "in": "query", "required": False, "schema": shape, "description": description}


GRID = {"type": "array", "minItems": IMAGE_SIDE, "maxItems": IMAGE_SIDE, "items": numbers(IMAGE_SIDE)}
EXAMPLE = [[0] * IMAGE_SIDE for _ in range(4)] + [
    [0] * 13 + [255, 255] + [0] * 13 if 4 <= row < 24 else [0] * IMAGE_SIDE for row in range(4, IMAGE_SIDE)
]
BASE64 = {
    "type": "string",
    "description": "A picture file in Base64, or as a data URL such as canvas.toDataURL() returns.",
    "example": "data:image/png;base64,iVBORw0KGgo...",
}
PIXELS_BODY = {
    "type": "object",
    "properties": {
        "pixels": {
            "description": "Numbers from 0, the background, to 255, the ink; or from 0 to 1, if none is above 1.",
            "oneOf": [GRID, numbers(PIXELS)],
        }
    },
    "required": ["pixels"],
}
PICTURE_BODY = {
    "type": "object",
    "properties": {"picture": BASE64 | {"description": f"{BASE64['description']} The field may have any name."}},
    "required": ["picture"],
    "maxProperties": 1,
}
JSON_BODY = {"anyOf": [PIXELS_BODY, PICTURE_BODY], "example": {"pixels": EXAMPLE}}
FORM_BODY = {
    "type": "object",
    "required": ["picture"],
    "properties": {
        "picture": {
            "type": "string",
            "format": "binary",
            "description": "A picture file, or one in Base64; the field may have any name.",
        }
    },
}
DIGIT_AND_CONFIDENCE = {
    "type": "array",
    "minItems": 2,
    "maxItems": 2,
    "items": {"type": "string"},
    "description": "The digit and its probability, both as text.",
    "example": ["7", "0.9987"],
}
ERRORS: dict[int | str, Any] = {
    400: {"model": ErrorMessage, "description": "Not JSON, not a picture, or a damaged picture"},
    403: {"model": ErrorMessage, "description": "Sent by a page of another site"},
    404: {"model": ErrorMessage, "description": "No such model"},
    408: {"model": ErrorMessage, "description": "The request did not arrive in time"},
    409: {"model": ErrorMessage, "description": "Not possible now"},
    413: {"model": ErrorMessage, "description": "The body is too long"},
    415: {"model": ErrorMessage, "description": "Neither JSON nor a picture"},
    421: {"model": ErrorMessage, "description": "Sent to a name that is not the server's"},
    422: {"model": ErrorMessage, "description": "JSON of the wrong shape, or numbers out of range"},
    503: {"model": ErrorMessage, "description": "The server is busy or stopping"},
}
PICTURE = {"type": "string", "format": "binary"}
MODEL = "The name of the model, or its index."
EXPLAIN = parameter(
    "explain", {"type": "boolean", "default": False}, "Also return the input of the network and its feature maps."
)


SEVERAL = parameter("several", {"type": "boolean", "default": False}, "Read all numbers in the picture.")
LENGTH = parameter(
    "length", {"type": "integer", "minimum": 1, "maximum": 40}, "With several=true: how many digits each number has."
)
PATTERN = parameter(
    "pattern",
    {"type": "string", "pattern": r"^[d.,-]*d[d.,-]*$", "maxLength": 40},
    "With several=true: the form of each number, with d for each digit, such as d.ddd,dd.",
)
TRUE_TEXT = parameter(
    "text",
    {"type": "string", "pattern": r"^[0-9., -]*[0-9][0-9., -]*$", "minLength": 1, "maxLength": 40},
    "What the picture shows, such as 7 or 12.50.",
) | {"required": True}
PICTURES = {JSON: JSON_BODY, FORM: FORM_BODY, URLENCODED: PICTURE_BODY, TEXT: BASE64} | dict.fromkeys(
    PICTURE_TYPES, PICTURE
)


def predict(models: list[str]) -> dict[str, Any]:
    """Describe the route /predict of a server with these models."""
    parameters = [_model(models), EXPLAIN, SEVERAL, LENGTH, PATTERN]
    return {
        "summary": "Recognize the digit in pixels or in a picture, or the numbers in it",
        "response_model": Prediction | Number,
        "responses": _errors(409),
        "openapi_extra": body(PICTURES) | {"parameters": parameters},
    }


def correct(models: list[str]) -> dict[str, Any]:
    """Describe the route that adds corrections, of a server with these models."""
    return {
        "summary": "Keep what a picture really shows",
        "response_model": Added,
        "responses": ERRORS,
        "openapi_extra": body(PICTURES) | {"parameters": [TRUE_TEXT, _model(models)]},
    }


def corrections() -> dict[str, Any]:
    """Describe the route that lists corrections."""
    return {"summary": "List the corrections", "response_model": Corrections, "responses": _only(403, 503)}


def corrections_file() -> dict[str, Any]:
    """Describe the route that returns the file of corrections."""
    answer = {"content": {HDF5: {"schema": PICTURE}}, "description": "The file"}
    responses = _only(403, 503) | {200: answer}
    return {"summary": "Download the corrections", "responses": responses, "response_class": Response}


def count(summary: str) -> dict[str, Any]:
    """Describe a route that deletes corrections and returns how many are left."""
    return {"summary": summary, "response_model": Count, "responses": _only(403, 503)}


def remove() -> dict[str, Any]:
    """Describe the route that deletes one correction."""
    identity = {"name": "identity", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    extra = {"openapi_extra": {"parameters": [identity]}, "responses": _only(403, 404, 503)}
    return count("Delete a correction") | extra


def teach(models: list[str]) -> dict[str, Any]:
    """Describe the route that teaches one of these models."""
    return {
        "summary": "Teach a model the corrections",
        "response_model": Lesson,
        "responses": _only(403, 404, 409, 503),
        "openapi_extra": {"parameters": [_model(models)]},
    }


def undo(models: list[str]) -> dict[str, Any]:
    """Describe the route that undoes what one of these models has been taught."""
    return teach(models) | {"summary": "Undo the last lesson of a model", "response_model": Lessons}


def _model(models: list[str]) -> dict[str, Any]:
    choices = [*map(str, range(len(models))), *models]
    return parameter("model", {"type": "string", "enum": choices, "default": "0"}, MODEL)


def _only(*statuses: int) -> dict[int | str, Any]:
    return {status: ERRORS[status] for status in statuses}


def _errors(*without: int) -> dict[int | str, Any]:
    return {status: error for status, error in ERRORS.items() if status not in without}


def neural(models: int) -> dict[str, Any]:
    """Describe the routes that take grids, of a server with a number of models."""
    method = {"type": "integer", "minimum": 0, "maximum": models - 1, "default": 0}
    grid = {
        "type": "object",
        "required": ["gridValues"],
        "properties": {"gridValues": GRID, "method": method | {"description": "The index of the model."}},
        "example": {"gridValues": EXAMPLE, "method": 0},
    }
    answer = {"content": {JSON: {"schema": DIGIT_AND_CONFIDENCE}}, "description": "The prediction"}
    return {
        "summary": "Recognize the digit in a grid",
        "responses": _errors(409) | {200: answer},
        "openapi_extra": body({JSON: grid}),
    }
