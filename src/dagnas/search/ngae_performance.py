"""NGAE without complexity predictor (NGAE, section 5.3)."""

from dagnas.search.ngae import ngae

ngae_performance = ngae.variant("ngae_performance", __name__, complexity=False)
