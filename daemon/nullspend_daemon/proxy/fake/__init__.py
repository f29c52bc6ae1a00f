"""The built-in provider: answers like OpenAI and Anthropic, without a network, a key or a bill. No HTTP in here."""
