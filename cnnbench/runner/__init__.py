"""How is one cell run? The only room where model, data, engine and store meet."""
