"""`actions review`: the queue of requests in the terminal, decided one after the other."""
