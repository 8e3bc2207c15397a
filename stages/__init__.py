"""The pipeline: one script a stage, one folder a topic; six of the folders touch the world (docs/ARCHITECTURE.md)."""
