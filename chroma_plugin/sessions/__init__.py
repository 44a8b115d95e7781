"""What is open in this process: one session per database, one store per collection, shared by every client."""
