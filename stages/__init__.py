"""The pipeline: one script a stage, one folder a topic (docs/ARCHITECTURE.md)."""
