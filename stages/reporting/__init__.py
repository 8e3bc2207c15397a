"""The reports of a run: figures, sections, the page, markdown reports, and a comparison of two runs."""
