"""Studies: questions with settings, answered by a report."""
