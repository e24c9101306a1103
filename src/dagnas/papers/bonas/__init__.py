"""BONAS: Efficient Sample-based Neural Architecture Search with Learnable Predictor."""
