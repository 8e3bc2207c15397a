"""The pipeline: one script a verb, one package a noun, and `outside/` for all that touches the world."""
