"""Values to text: JSON, words for a terminal, Markdown, annotations; no I/O."""
