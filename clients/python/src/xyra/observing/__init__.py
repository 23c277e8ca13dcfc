"""Reports the calls of models that pass through HTTP clients: `wrap`, `instrument`."""
