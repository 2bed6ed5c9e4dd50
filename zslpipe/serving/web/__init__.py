"""A trained run over HTTP: a page and JSON. What comes from a request is not trusted; nothing outside it is read."""
