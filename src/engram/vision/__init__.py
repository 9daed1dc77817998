"""Vision models that spike, and those they are compared with."""
