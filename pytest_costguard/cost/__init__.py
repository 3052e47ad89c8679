"""Pure prices and unit cost."""
