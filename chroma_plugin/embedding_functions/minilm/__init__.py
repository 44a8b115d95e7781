"""all-MiniLM-L6-v2: finding its files, cutting text into word pieces, the network itself."""
