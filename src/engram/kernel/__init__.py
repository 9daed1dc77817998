"""The kernel floor: how kernels are compiled and launched, and the numbers they draw."""
