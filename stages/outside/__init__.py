"""The only code that touches disk, network, clock, environment and locks."""
