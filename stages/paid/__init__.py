"""Answers that cost money: the store, the budget, the service, and the order of steps that keeps both safe."""
