"""`doctor`: what can go wrong, on this machine and with the servers."""
