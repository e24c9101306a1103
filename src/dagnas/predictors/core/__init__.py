"""The machinery of predictors: what one is, its loss, its training, foreign models."""
