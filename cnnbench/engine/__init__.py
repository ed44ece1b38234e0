"""The engine: one loop that trains under a budget and says what happens; it touches no disk."""
