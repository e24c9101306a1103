"""Accuracy and the cost of hardware: searches of ours on HW-NAS-Bench; no paper has them."""
