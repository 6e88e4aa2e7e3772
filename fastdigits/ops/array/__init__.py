"""Arrays of the device, their way there and back, sums over all their elements, and steps that are recorded."""

OPS = ("empty", "zeros", "upload", "download", "write", "pack", "unpack", "accumulate", "captured")


def blocks(images: int, lanes: int) -> int:
    """How many blocks of `lanes` images hold so many images."""
    return -(-images // lanes)
