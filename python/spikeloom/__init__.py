"""From a trained spiking network to a verified bitstream for a small FPGA.

    import spikeloom
    spikeloom.compile("model.nir", semantics="snntorch", reset="subtract", encoding="direct", ticks=25)
    spikeloom.verify("build")

Keyword arguments of :func:`compile` and :func:`load` are the keys of a project file, which are the
options of the command. What is wrong is raised as :class:`Error`, with the command's own text.
"""

from ._spikeloom import Difference, Error, targets
from .board import Board, Ran
from .network import Integers, Network, Outcome, Trace, load
from .tool import compile, simulate, verify

__all__ = [
    "Board",
    "Difference",
    "Error",
    "Integers",
    "Network",
    "Outcome",
    "Ran",
    "Trace",
    "compile",
    "load",
    "simulate",
    "targets",
    "verify",
]
