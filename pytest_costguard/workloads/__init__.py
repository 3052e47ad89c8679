"""Adapters that make callables, torch modules and onnxruntime models measurable."""
