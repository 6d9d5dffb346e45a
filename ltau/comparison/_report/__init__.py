"""What a comparison writes: words, a table for the terminal, figures, and one page of HTML."""
