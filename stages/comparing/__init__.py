"""Two runs on one page."""
