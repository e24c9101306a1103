"""The machinery of spaces: batches of cells, what every space can do, drawing."""
