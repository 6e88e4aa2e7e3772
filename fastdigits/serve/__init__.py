"""An HTTP server that recognizes digits, with a page to draw them on.

request -> api -> bodies -> recognition (imaging, in threads) -> worker (networks, in one thread) -> answer
"""

from fastdigits.serve.app import create_app
from fastdigits.serve.limits import Limits

__all__ = ["Limits", "create_app"]
