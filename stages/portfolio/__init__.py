"""From symbols to one book: strategy identity, aggregation, cost curve, trading gates."""
