"""Schemas of requests and answers: the contract with clients, apart from the tables."""
