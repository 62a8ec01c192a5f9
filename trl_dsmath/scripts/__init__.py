"""What the recipe scripts share, for scripts of your own: arguments, data, tokenizer, resuming, saving, the model card, the hub."""
