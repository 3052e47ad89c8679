"""Reads handwritten digits from scans of form fields, and finds speech in voice notes."""
