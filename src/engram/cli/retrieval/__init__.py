"""`engram retrieval`."""
