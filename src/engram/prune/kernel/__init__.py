"""Products of sparse weights and spikes, compiled."""
