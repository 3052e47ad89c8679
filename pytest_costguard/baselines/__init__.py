"""The store of baseline runs."""
