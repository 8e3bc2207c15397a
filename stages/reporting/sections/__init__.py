"""One file a section of the page: what it says, shows and lists."""
