"""Device arrays: allocation, copies to and from the host, sums over all elements and recorded steps."""

OPS = ("empty", "zeros", "upload", "download", "pack", "unpack", "accumulate", "captured")


def blocks(images: int, lanes: int) -> int:
    """Return the number of blocks of `lanes` images that hold `images` images."""
    return -(-images // lanes)
