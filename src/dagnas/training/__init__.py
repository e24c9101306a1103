"""Real networks: images, cells turned into networks, their training, tables made of it."""
