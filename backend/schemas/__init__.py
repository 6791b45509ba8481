"""What goes over the wire: the contract with whoever calls, apart from the tables."""
