"""Faults injected into a running stack, and the check that nothing was lost or doubled by them."""
