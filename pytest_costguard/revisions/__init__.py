"""Snapshots of two revisions; filled by side-by-side comparison."""
