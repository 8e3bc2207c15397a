"""Trades from decisions: the specification loop, the fast engine, the grid and its statistics."""
