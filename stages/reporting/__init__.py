"""What people read: figures, the page, the markdown reports."""
