"""The nouns of cnnbench: frozen, versioned values that go to JSON and come back."""
