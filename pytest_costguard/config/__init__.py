"""One cascade into a frozen configuration: defaults < file < environment < command line."""
