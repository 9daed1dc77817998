"""The compiled parts of the simulation: random links, and the steps."""
