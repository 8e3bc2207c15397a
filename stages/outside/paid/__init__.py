"""Answers that cost money: the store, the ledger of seats, the service, and the order of steps that keeps both safe."""
