"""The command line `costguard`: one module a command; translates arguments into calls on app."""
