"""A whole stack on one machine with nothing installed beforehand."""
