"""From a bound port to a served application, and what the two tell each other."""
