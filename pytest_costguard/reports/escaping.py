"""Foreign text made harmless for Markdown, and comments cut to the size that GitHub takes.

Test names, branch names, prices' sources and reasons come from the repository under test, and
in a fork's pull request from a stranger. Only a code span holds: backslashes and entities
leave addresses and mentions alive. So `code` makes a span of the whole text, and `prose`
leaves plain words and numbers as they are and puts everything else into spans.
"""

from __future__ import annotations

import re
import unicodedata

NAME_LIMIT = 200
"""Characters of a name that are shown; real node ids are shorter."""
PROSE_LIMIT = 2_000
"""Characters of a reason or warning that are shown."""
COMMENT_LIMIT = 65_000
"""Bytes; GitHub refuses bodies above 65,536 characters."""

_ONE_LINE = 14
"""Characters of a figure; longer ones would push a table's last column out of sight."""
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BACKTICKS = re.compile("`+")
_WORD = r"[^\W\d_]+(?:[-'\N{RIGHT SINGLE QUOTATION MARK}][^\W\d_]+)*"
_NUMBER = r"[+\-\N{MINUS SIGN}±≤≥~]?\d{1,6}(?:[.,]\d{1,12}){0,3}(?:%|x)?"
# Percentiles and "1k"; longer mixtures could be a commit or an issue that GitHub would link.
_SHORT = r"[a-z]?\d{1,3}[a-z]?"
_DATE = r"\d{4}-\d\d-\d\d|\d\d:\d\d"
_SIGNS = r"[%±≤≥\N{EN DASH}]|items/s"
_SAFE = re.compile(rf"\(?(?:{_WORD}|{_NUMBER}|{_SHORT}|{_DATE}|{_SIGNS})\)?[.,;:?]?")
_COMMIT = re.compile(r"\b[0-9a-fA-F]{7,}\b")
"""What GitHub would link where there is such a commit, be it a word."""
_BRACKETED = re.compile(r"\([^()]+\)")
_LIST_START = re.compile(r"(?:\d+[.)]|[-+*=#>~]+)[:,;]?$")


def plain(text: str, *, limit: int = NAME_LIMIT) -> str:
    """Return one line of visible characters, at most `limit` of them.

    Control, bidirectional, zero-width, private and unassigned characters are dropped, every
    kind of white space becomes one space.
    """
    # Far more than the limit is never looked at: a name of megabytes must not cost seconds.
    spaced = " ".join(text[: 8 * limit].split())
    seen = "".join(char for char in spaced if unicodedata.category(char) not in _DROPPED)
    visible = " ".join(seen.split())
    return visible if len(visible) <= limit else f"{visible[: limit - 1].rstrip()}…"


def logged(text: str, *, limit: int = PROSE_LIMIT) -> str:
    """Return lines for the log of a job, in which nothing commands a runner.

    GitHub's runner obeys a line that begins with `::`, and `##[` anywhere in one.
    """
    lines = (plain(line, limit=limit) for line in text.split("\n"))
    # The indent of a remedy below its error is ours.
    return "\n".join(
        ("  " if line.startswith(("remedy:", "::")) else "") + line.replace("##[", "## [")
        for line in lines
    )


def code(text: str, *, limit: int = NAME_LIMIT, table: bool = True) -> str:
    """Return a code span that shows `text` and nothing but it, in a table cell or elsewhere.

    The fence is longer than any run of backticks inside. With `table`, which is right outside
    of tables as well unless the text holds `|`, the pipes are escaped.
    """
    shown = plain(text, limit=limit)
    if not shown:
        return "(empty)"
    longest = max((len(run) for run in _BACKTICKS.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if shown[0] in "` " or shown[-1] in "` " else ""
    if table:
        # A backslash before a pipe would escape the escape; a set minus looks the same.
        shown = re.sub(r"\\+(?=\|)", lambda run: "\N{SET MINUS}" * len(run[0]), shown)
        shown = shown.replace("|", r"\|")
    return f"{fence}{padding}{shown}{padding}{fence}"


def prose(text: str, *, limit: int = PROSE_LIMIT, table: bool = True) -> str:
    """Return a sentence in which plain words and numbers stay and all else is in code spans.

    What is left bare is a list of what may be, not of what may not: words of letters, numbers,
    a few signs. So addresses, mentions, `#12`, HTML, emphasis and formulas cannot arise.
    """
    pieces: list[str] = []
    pending: list[str] = []
    for position, token in enumerate(plain(text, limit=limit).split(" ")):
        bare = bool(_SAFE.fullmatch(token)) and not (position == 0 and _LIST_START.match(token))
        bare = bare and not _COMMIT.search(token)
        if bare:
            _flush(pending, pieces, limit=limit, table=table)
            pieces.append(token)
        elif token:
            pending.append(token)
    _flush(pending, pieces, limit=limit, table=table)
    return " ".join(pieces)


def unbroken(text: str) -> str:
    """Return `prose` for a table's figure: `12.3 ± 0.4` stays on one line, unless it is long."""
    shown = prose(text)
    value, sign, half = shown.partition(" ± ")
    if sign and len(shown) > _ONE_LINE:
        return f"{value} ±\N{NO-BREAK SPACE}{half}"
    return shown.replace(" ", "\N{NO-BREAK SPACE}")


def _flush(pending: list[str], pieces: list[str], *, limit: int, table: bool) -> None:
    if not pending:
        return
    text = " ".join(pending)
    pending.clear()
    # A sentence's own brackets, commas and full stops read better outside of the span.
    before, body, after = "", text, ""
    if len(body) > 1 and body[-1] in ".,;:":
        body, after = body[:-1], body[-1]
    if _BRACKETED.fullmatch(body):
        before, body, after = "(", body[1:-1], f"){after}"
    elif len(body) > 1 and body[-1] == ")" and body.count(")") > body.count("("):
        body, after = body[:-1], f"){after}"
    elif len(body) > 1 and body[0] == "(" and body.count("(") > body.count(")"):
        before, body = "(", body[1:]
    pieces.append(f"{before}{code(body, limit=limit, table=table)}{after}")


def fenced(lines: tuple[str, ...], *, language: str = "sh") -> str:
    """Return a fenced block of `lines`, each made plain; no line can close the fence."""
    shown = [plain(line, limit=PROSE_LIMIT) for line in lines]
    longest = max((len(run) for line in shown for run in _BACKTICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((f"{fence}{language}", *shown, fence))


def cut(markdown: str, *, limit: int = COMMENT_LIMIT, notice: str) -> str:
    """Return `markdown` in fewer than `limit` bytes, cut between lines.

    Fences and `<details>` that are open at the cut are closed, and `notice` says that it was
    cut. Only lines of our own templates open them: foreign text never begins a line.
    """
    if len(markdown.encode()) < limit:
        return markdown
    kept: list[str] = []
    fence, details = "", 0
    used = len(notice.encode()) + len("\n\n\n")
    for line in markdown.splitlines():
        used += len(line.encode()) + 1
        next_fence, next_details = _nesting(line, fence=fence, details=details)
        closing = len(next_fence) + 1 + len("\n</details>\n") * next_details
        if used + closing >= limit:
            break
        kept.append(line)
        fence, details = next_fence, next_details
    ends = ([fence] if fence else []) + ["", "</details>"] * details
    return "\n".join((*kept, *ends, "", notice, ""))


def _nesting(line: str, *, fence: str, details: int) -> tuple[str, int]:
    opened = re.match("`{3,}", line)
    if fence:
        return ("" if line.rstrip() == fence else fence), details
    if opened:
        return opened[0], details
    return "", details + line.startswith("<details") - line.startswith("</details>")
