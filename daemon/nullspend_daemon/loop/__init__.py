"""The store as the event loop sees it: transactions that are awaited, commits that wake whoever waits for them."""
