"""What people read: figures, sections, the page, markdown reports, two runs side by side."""
