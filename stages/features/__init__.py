"""Leakage-safe features, one file a family, and the catalogue that names them."""
