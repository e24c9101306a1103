"""Models and samplers that search methods share."""
