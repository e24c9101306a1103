"""GOAL: Differentiable Graph Optimization for Neural Architecture Search."""
