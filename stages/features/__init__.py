"""Leakage-safe features, and the catalogue that names them."""
