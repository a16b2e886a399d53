"""What the numbers cost, month by month."""
