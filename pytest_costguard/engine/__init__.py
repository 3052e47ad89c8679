"""Units of worker sessions: coordinator, protocol and worker side; one side or two."""
