"""Graph variational autoencoder of NGAE, with predictors on its latent space."""
