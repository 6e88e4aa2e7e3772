"""A server that reads digits: the page to draw on, and the same by HTTP for programs.

page, programs -> api -> bodies -> recogniser (imaging, in threads) -> worker (networks, in one thread) -> answers
"""

from fastdigits.serve.app import create_app
from fastdigits.serve.limits import Limits

__all__ = ["Limits", "create_app"]
