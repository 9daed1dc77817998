"""`engram memristor`."""
