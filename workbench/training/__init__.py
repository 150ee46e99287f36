"""Fine-tuning: from a collection's judgements to a model under a run's name, by the library's own trainers."""
