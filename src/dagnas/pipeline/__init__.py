"""The pipeline: scale files, kinds of artifacts, jobs, provenance."""
