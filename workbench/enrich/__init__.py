"""What a model adds to a collection: hard negatives, and queries for documents that came without."""
