"""Graph VAE of NGAE: cells to points of a latent space and back, with predictors on the points."""
