"""How many equal layers a workload is made of: what is changed, and by how much.

`EVIDENCE_SIDE` names the side that this process is; the head side has `level` layers more than
100, base has 100. So a level is a share in percent, of real work of the same kind. The commits of
the live runs change `ADDED` instead.
"""

import os

LAYERS = 100
MOST = 110
ADDED = 0
LEVELS = tuple(int(text) for text in os.environ.get("EVIDENCE_LEVELS", "0").split(","))


def layers(level):
    """The layers that this side has at a level."""
    return LAYERS + ADDED + (level if os.environ.get("EVIDENCE_SIDE") == "head" else 0)
