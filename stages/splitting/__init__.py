"""Which sessions may be searched, which lie between, which stay sealed."""
