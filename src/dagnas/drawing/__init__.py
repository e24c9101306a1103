"""Pictures: cells, decision spaces, and the common style of figures."""
