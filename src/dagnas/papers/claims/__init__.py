"""Ledger of claims: what the papers state, checked against the results of one scale.

A paper's folder holds claims.yaml; docs/claims.md describes its format. `model` has claims and
entries of the ledger as types, `reader` reads claims.yaml, `check` compares claims with tables of
results, and `page` writes the ledger. Nothing in claims.yaml is executed, and a claim's status
follows from tables alone.
"""
