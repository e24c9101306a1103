# An image that holds the package, for Kubernetes (workflow/profiles/kubernetes) or for use by hand:
#   docker build --tag dagnas . && docker run --rm dagnas list methods
# The build argument PIP_EXTRA_INDEX_URL names an index of CPU builds of torch, which are smaller.
# Untested: where this was written no image could be built.
FROM python:3.11-slim

# Networks train to the same bits with one thread and one order of hashes only.
ENV OMP_NUM_THREADS=1 PYTHONHASHSEED=0

ARG PIP_EXTRA_INDEX_URL
WORKDIR /dagnas
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir --constraint constraints.txt '.[kubernetes]'

ENTRYPOINT ["dagnas"]
