"""The neurons as compiled operators, with the signatures of `functional`."""
