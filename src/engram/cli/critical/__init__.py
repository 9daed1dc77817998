"""`engram critical`."""
