"""Where bars are fetched from: files and buckets, within reach or said to be out of it, kept by content."""
