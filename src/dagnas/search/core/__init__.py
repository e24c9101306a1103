"""The machinery of search: what a method is, and who runs it."""
