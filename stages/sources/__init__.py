"""Where minute bars come from, as far as it can be said without touching the world."""
