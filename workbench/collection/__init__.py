"""What the user brings: queries, corpus and judgements on disk, and how they get there."""
