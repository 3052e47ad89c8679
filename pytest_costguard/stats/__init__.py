"""Pure estimates and decisions."""
