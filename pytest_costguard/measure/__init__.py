"""Scenarios and runners over ports: no pytest, no files, no environment."""
