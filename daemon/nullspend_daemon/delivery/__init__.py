"""Messages that leave this machine: where they may go, how they are sent, and the queue of webhook deliveries."""
