"""Device arrays: allocation, copies to and from the host, sums over all elements and recorded steps."""

OPS = ("empty", "zeros", "upload", "download", "pack", "unpack", "accumulate", "captured")


def blocks(images: int, lanes: int) -> int:
    """Return the number of blocks of `lanes` images that hold `images` images."""
    return -(-images // lanes)


def round_up(size: int, step: int) -> int:
    """Return the first multiple of step that is not less than size."""
    return -(-size // step) * step
