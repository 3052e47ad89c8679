"""Everything that is read from the machine."""
