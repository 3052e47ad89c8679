"""The use cases: the only place that knows every layer below."""
