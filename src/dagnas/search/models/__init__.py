"""Parts of search methods: Gaussian processes, samplers, trees, controllers, surrogates."""
