"""What an agent may still do: core 8."""
