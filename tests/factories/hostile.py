"""Text that tries to be more than text."""

from __future__ import annotations

FRAGMENTS = [
    "`", "``", "|", "\\", "\\|", "\n", "\r\n", "\t", " ", "@octocat", "#12", "GH-12",
    "acme/repo#3", "http://evil.example", "www.evil.example", "a@b.example", "~~~",
    "[x](http://evil.example)", "![x](y)", "<img src=x>", "</details>", "<!--", "-->",
    "**", "__", "*", "_", "~~", "$", "$`", "`$", ":tada:", "# ", "> ", "- ", "1. ",
    "---", "===", "&lt;", "&#64;", "\u202e", "\u200b", "\u2028", "\x00", "\x1b[31m",
    "word", "3.5", "(", ")", ",", "[", "]", "0123456789abcdef0123456789abcdef01234567",
    "mailto:a@b.example", "xmpp:a@b.example", "ftp://evil.example", "{{", "{%",
]  # fmt: skip
