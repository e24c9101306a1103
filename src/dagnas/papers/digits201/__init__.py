"""digits201: what the shipped benchmark can tell apart, and how it relates to NAS-Bench-201."""
