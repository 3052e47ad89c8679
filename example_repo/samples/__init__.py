"""Requests that look like real ones, made from a seed: scans of digits, and voice notes."""
