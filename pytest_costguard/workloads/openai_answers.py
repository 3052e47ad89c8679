"""Answers of an OpenAI-style endpoint: which events hold output, how many tokens, and what is said.

Output is whatever the model has written, shown or not: text, reasoning, a refusal, the name or the
arguments of a tool. Events that hold none (the role at the beginning, the reason at the end, usage)
are not counted, and time nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pytest_costguard.measure.streamed import Streamed
from pytest_costguard.records import MOST_COUNT, TokenCount
from pytest_costguard.workloads.http_exchange import NoAnswer
from pytest_costguard.workloads.server_sent_events import ServerSentEvent

_DONE = b"[DONE]"
_TEXT = ("content", "text", "refusal")
_REASONING = ("reasoning_content", "reasoning")
_SHOWN = 300
_SERVER = "see what the server's log says of this request"


class Completion(str):
    """The text of an answer, with what came beside it."""

    __slots__ = ("finish_reason", "reasoning", "tool_calls", "usage")

    finish_reason: str | None
    reasoning: str
    tool_calls: tuple[Mapping[str, str], ...]
    """Each with its `name` and `arguments`, both text."""
    usage: Mapping[str, Any] | None

    @classmethod
    def of(
        cls,
        text: str,
        *,
        finish_reason: str | None,
        reasoning: str,
        tool_calls: tuple[Mapping[str, str], ...],
        usage: Mapping[str, Any] | None,
    ) -> Completion:
        """Return the text with what came beside it."""
        made = cls(text)
        made.finish_reason, made.reasoning = finish_reason, reasoning
        made.tool_calls, made.usage = tool_calls, usage
        return made


class AnswerReader:
    """Reads one answer, event by event or as a whole.

    Args:
        began_ns: right before its request was sent.
    """

    def __init__(self, *, began_ns: int) -> None:
        self.done = False
        """Whether the server has said that nothing more comes."""
        self._began_ns = began_ns
        self._event_ns: list[int] = []
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._tools: dict[int, dict[str, str]] = {}
        self._finish_reason: str | None = None
        self._usage: Mapping[str, Any] | None = None

    def take(self, event: ServerSentEvent, *, at_ns: int) -> None:
        """Take the next event of a stream.

        Args:
            event: as it was cut from the body.
            at_ns: when it was there.

        Raises:
            NoAnswer: it tells of an error, or is none of this protocol.
        """
        if event.data.strip() == _DONE:
            self.done = True
            return
        said = _decoded(event.data)
        if event.name == "error" or said.get("error"):
            raise NoAnswer(f"the server ended the stream: {_error(said)}", remedy=_SERVER)
        if self._read(said):
            self._event_ns.append(at_ns)

    def take_whole(self, body: bytes) -> None:
        """Take an answer that was not streamed.

        Raises:
            NoAnswer: it tells of an error, or is none of this protocol.
        """
        said = _decoded(body)
        if said.get("error"):
            raise NoAnswer(f"the server answered: {_error(said)}", remedy=_SERVER)
        self._read(said)
        self.done = True

    def answer(self) -> Streamed:
        """Return what was told, once there is no more.

        Raises:
            NoAnswer: it broke off before its end, or held no output.
        """
        if not self.done and self._finish_reason is None:
            raise NoAnswer(
                "the answer broke off before its end: neither a finish_reason nor [DONE] came",
                remedy=_SERVER,
            )
        if not (self._text or self._reasoning or self._tools):
            raise NoAnswer(
                "the answer holds no output at all, so it has no first token",
                remedy="ask for what is answered with text; where the server can, min_tokens=1 or"
                " ignore_eos=True",
            )
        output_tokens, counted_by = self._output_tokens()
        return Streamed(
            began_ns=self._began_ns,
            event_ns=tuple(self._event_ns),
            output_tokens=output_tokens,
            input_tokens=_count(self._usage, "prompt_tokens"),
            counted_by=counted_by,
            output=Completion.of(
                "".join(self._text),
                finish_reason=self._finish_reason,
                reasoning="".join(self._reasoning),
                tool_calls=tuple(self._tools.values()),
                usage=self._usage,
            ),
        )

    def _output_tokens(self) -> tuple[int | None, TokenCount]:
        # A server that counts none of what it has sent does not count.
        if told := _count(self._usage, "completion_tokens"):
            return told, "usage"
        return (len(self._event_ns) or None), "events"

    def _read(self, said: Mapping[str, Any]) -> bool:
        """Keep what an event says; tell whether it holds output."""
        if isinstance(said.get("usage"), Mapping):
            self._usage = said["usage"]
        held = False
        for choice in _entries(said.get("choices")):
            part = choice.get("delta") or choice.get("message") or choice
            if isinstance(part, Mapping):
                held |= _append(self._text, part, _TEXT)
                held |= _append(self._reasoning, part, _REASONING)
                held |= self._tool_calls(part)
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
        return held

    def _tool_calls(self, part: Mapping[str, Any]) -> bool:
        held = False
        for place, call in enumerate(_entries(part.get("tool_calls"))):
            called = call.get("function")
            if not isinstance(called, Mapping):
                continue
            index = call.get("index")
            known = self._tools.setdefault(
                index if isinstance(index, int) else place, {"name": "", "arguments": ""}
            )
            for key in known:
                if isinstance(called.get(key), str) and called[key]:
                    known[key] += called[key]
                    held = True
        return held


def _append(parts: list[str], said: Mapping[str, Any], keys: Sequence[str]) -> bool:
    for key in keys:
        text = said.get(key)
        if isinstance(text, str) and text:
            parts.append(text)
            return True
    return False


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _decoded(data: bytes) -> Mapping[str, Any]:
    try:
        said = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoAnswer(
            f"what came is no JSON ({error}): {data[:_SHOWN].decode('utf-8', errors='replace')}",
            remedy="check that the address is that of an OpenAI-style endpoint",
        ) from error
    if not isinstance(said, dict):
        raise NoAnswer(
            f"what came is a {type(said).__name__} and no object: {str(said)[:_SHOWN]}",
            remedy="check that the address is that of an OpenAI-style endpoint",
        )
    return said


def _error(said: Mapping[str, Any]) -> str:
    told = said.get("error") or said
    if isinstance(told, Mapping):
        told = told.get("message") or told
    return str(told)[:_SHOWN]


def _count(usage: Mapping[str, Any] | None, key: str) -> int | None:
    value = None if usage is None else usage.get(key)
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COUNT
    return value if sound else None
