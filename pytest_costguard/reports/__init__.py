"""Records to view to text: terminal, Markdown, JUnit."""
