"""Disk, terminal, clock, environment and buckets."""
