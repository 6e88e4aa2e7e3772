"""Arrays of the device, their way there and back, and sums over all their elements."""

OPS = ("empty", "zeros", "upload", "download", "pack", "unpack", "accumulate")


def blocks(images: int, lanes: int) -> int:
    """How many blocks of `lanes` images hold so many images."""
    return -(-images // lanes)
