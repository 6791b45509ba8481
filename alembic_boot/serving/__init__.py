"""Serving: from a reserved port to a running application, and the facts passed between them."""
