"""What the papers show: one folder a paper, one file a figure or table, and a ledger of claims."""
