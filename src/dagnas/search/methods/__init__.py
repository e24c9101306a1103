"""Search methods, one family per module; `dagnas.search.METHODS` names them."""
