"""Makes the models of this service."""
