"""pytest-costguard: keeps inference fast and cheap.

Importing this package loads nothing else: an installed but unused plugin must cost nothing.
"""

__version__ = "0.1.0"
