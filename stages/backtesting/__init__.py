"""Trades from decisions: the engine, the grid and its statistics."""
