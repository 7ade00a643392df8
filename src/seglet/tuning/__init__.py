"""Search for settings that suit one dataset: what is tried, what is remembered, the search itself."""
