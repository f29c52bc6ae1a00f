"""What only a daemon on your own ground has: its data directory, its people, its clock, its control plane."""
