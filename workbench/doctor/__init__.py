"""The data doctor: what in a collection would ruin a fine-tuning, how bad it is, and the fix for it."""
