"""GOAL with a multilayer perceptron in place of the graph network (GOAL, section 6.3)."""

from dagnas.search.goal import goal

goal_mlp = goal.variant("goal_mlp", __name__, predictor="mlp")
