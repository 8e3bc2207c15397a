"""Disk, terminal, clock, environment and buckets: the lowest of the rooms that touch the world."""
