"""Where minute bars come from: names, columns, listings and artificial bars, without any file or network access."""
