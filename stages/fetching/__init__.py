"""Reading a vendor's files: found by template, listed, downloaded once, made into frames."""
