"""Neural Architecture Search Over a Graph Search Space."""
