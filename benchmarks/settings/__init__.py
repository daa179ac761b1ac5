"""Settings: what each of them contributes to the default recipe, taken away or changed one at a time."""
