"""Reading a stream while it passes by: usage, model and stop reason from server-sent events, cut anywhere."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from nullspend_daemon.pricing import usage as read
from nullspend_daemon.pricing.long_lines import LongLine
from nullspend_daemon.pricing.shapes import Json, Shape, as_list, as_object, text_or_none
from nullspend_daemon.pricing.usage import Observed, ToolCall, Usage

MAX_LINE = 65_536
"""Characters a line may have; a longer one is dropped, so that a stream cannot fill the memory."""
_CONTINUATION = bytes(range(0x80, 0xC0))
_BOM = b"\xef\xbb\xbf"

_CHAT_MATTERS = re.compile(rb'"usage"\s*:\s*\{|"finish_reason"\s*:\s*"|"tool_calls".*"name"')
_FINAL = re.compile(rb'"response\.(?:completed|incomplete|failed)"')
_CALL_DONE = re.compile(rb'"type"\s*:\s*"response\.output_item\.done".*"function_call"')
_FINAL_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_RESPONSES_WORDS = (b"response.completed", b"response.incomplete", b"response.failed", b"function_call")
_MESSAGES_WORDS = (b"message_start", b"message_delta", b"message_stop", b"tool_use")
_FIRST_RESPONSE = re.compile(rb'"response"\s*:\s*\{')
_MESSAGE_EVENTS = frozenset({"message_start", "message_delta", "message_stop"})
_MESSAGES_MATTERS = re.compile(rb'"message_(?:start|delta|stop)"|tool_use"')


@dataclass(slots=True)
class StreamReader:
    """Collects what a stream says. Feed it the bytes as they come; it never fails and never alters them."""

    shape: Shape
    _line: bytearray = field(default_factory=bytearray)
    _characters: int = 0
    _dropping: bool = False
    _long: LongLine | None = None
    _event: str | None = None
    _started: bool = False
    _complete: bool = False
    _model: str | None = None
    _response_id: str | None = None
    _stop_reason: str | None = None
    _usage: Usage | None = None
    _merged: Json = field(default_factory=dict[str, Any])
    _final: Observed | None = None
    _calls: list[ToolCall] = field(default_factory=list[ToolCall])

    @property
    def complete(self) -> bool:
        """Whether the last event that matters has come, so that nothing which follows can change what was used."""
        return self._complete or self._final is not None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, cut wherever the network cut them."""
        end = chunk.rfind(b"\n") + 1
        if end and self._started and self._long is None and self._says_nothing(chunk[:end]):
            self._line.clear()
            self._characters, self._dropping, self._event = 0, False, None
            self._append(chunk[end:])
            return
        first, *rest = chunk.split(b"\n")
        self._append(first)
        for piece in rest:
            self._end_line()
            self._append(piece)

    def finish(self) -> Observed:
        """What the stream said, once it has ended or was cut off; an unfinished last line still counts."""
        self._end_line()
        if self._final is not None:
            return self._final
        return self._so_far()

    def _so_far(self) -> Observed:
        return Observed(
            usage=self._usage if self.shape != "messages" else read.messages_usage(self._merged),
            model=self._model,
            stop_reason=self._stop_reason,
            tool_calls=self._calls or None,
            response_id=self._response_id,
            complete=self._complete,
        )

    def _says_nothing(self, lines: bytes) -> bool:
        """Whether whole lines, the begun one included, hold nothing to read; most of a stream is only text."""
        if not self._dropping and self._line:
            lines = bytes(self._line) + lines
        if self.shape == "messages":
            return self._event not in _MESSAGE_EVENTS and not any(word in lines for word in _MESSAGES_WORDS)
        if self._model is None:
            return False
        if self.shape == "responses":
            return self._event not in _FINAL_EVENTS and not any(word in lines for word in _RESPONSES_WORDS)
        if b"[DONE]" in lines or b'"tool_calls"' in lines:
            return False
        return _only_null(lines, b'"usage"') and _only_null(lines, b'"finish_reason"')

    def _append(self, piece: bytes) -> None:
        if not piece:
            return
        if self._dropping:
            if self._long is not None:
                self._long.append(piece)
            return
        self._line += piece
        self._characters += len(piece) if piece.isascii() else len(piece.translate(None, _CONTINUATION))
        if self._characters > MAX_LINE:
            self._dropping = True
            self._long = LongLine.begun(bytes(self._line)) if self.shape == "responses" else None
            self._line.clear()

    def _end_line(self) -> None:
        line, dropped = bytes(self._line), self._dropping
        self._line.clear()
        self._characters, self._dropping = 0, False
        if not self._started:
            line, self._started = line.removeprefix(_BOM), True
        if not dropped:
            self._take(line.strip())
        elif self._long is not None:
            self._final = self._long.observed(self._so_far()) or self._final
            self._long = None

    def _take(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data(line[5:].strip())
        elif line.startswith(b"event:"):
            self._event = line[6:].strip().decode("utf-8", "replace")
        elif not line:
            self._event = None

    def _data(self, data: bytes) -> None:
        if data == b"[DONE]":
            self._complete = True
        elif self.shape == "messages":
            self._message(data)
        elif self.shape == "responses":
            self._response(data)
        else:
            self._chunk(data)

    def _chunk(self, data: bytes) -> None:
        """A chunk of chat or completions. Most only carry text: they are not parsed once the model is known."""
        if self._model is not None and not _CHAT_MATTERS.search(data):
            return
        chunk = read.parse_object(data)
        if chunk is None:
            return
        self._model = self._model or text_or_none(chunk.get("model"))
        self._response_id = self._response_id or text_or_none(chunk.get("id"))
        if isinstance(chunk.get("usage"), dict):
            self._usage = read.openai_usage(chunk["usage"]) or self._usage
        for item in as_list(chunk.get("choices")):
            choice = as_object(item)
            self._stop_reason = text_or_none(choice.get("finish_reason")) or self._stop_reason
            self._calls += read.function_calls(as_object(choice.get("delta")))

    def _response(self, data: bytes) -> None:
        """An event of the Responses API: only the first, for the model, tool calls and the final ones are parsed."""
        if _CALL_DONE.search(data):
            call = read.parse_object(data) or {}
            self._calls += read.responses({"output": [call.get("item")]}).tool_calls or []
            return
        final = self._event in _FINAL_EVENTS or _FINAL.search(data)
        if not final and (self._model is not None or not _FIRST_RESPONSE.search(data)):
            return
        event = read.parse_object(data)
        if event is None:
            return
        observed = read.responses(as_object(event.get("response")))
        self._model = self._model or observed.model
        self._response_id = self._response_id or observed.response_id
        if (text_or_none(event.get("type")) or self._event) in _FINAL_EVENTS:
            self._final = replace(observed, model=observed.model or self._model)

    def _message(self, data: bytes) -> None:
        if self._complete or not (self._event in _MESSAGE_EVENTS or _MESSAGES_MATTERS.search(data)):
            return
        event = read.parse_object(data)
        if event is None:
            return
        kind = self._event or event.get("type")
        if kind == "message_start":
            message = as_object(event.get("message"))
            self._model = text_or_none(message.get("model")) or self._model
            self._response_id = text_or_none(message.get("id")) or self._response_id
            self._merge(message.get("usage"))
        elif kind == "message_delta":
            self._merge(event.get("usage"))
            self._stop_reason = text_or_none(as_object(event.get("delta")).get("stop_reason")) or self._stop_reason
        elif kind == "content_block_start":
            call = read.tool_use(as_object(event.get("content_block")))
            self._calls += [] if call is None else [call]
        elif kind == "message_stop":
            self._complete = True

    def _merge(self, usage: Any) -> None:
        self._merged |= {name: value for name, value in as_object(usage).items() if value is not None}


def _only_null(lines: bytes, name: bytes) -> bool:
    """Whether a field is null wherever it stands, or stands nowhere."""
    return lines.count(name) == lines.count(name + b":null") + lines.count(name + b": null")
