"""A web server on this machine whose line is cut."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Ends each of its first answers early, after so many bytes as `cuts` say.

    `headers` are sent with each answer. With `sends_on_to` it answers with that address instead.
    """

    def __init__(self, content: bytes, cuts: list[int]) -> None:
        self.content, self.cuts = content, cuts
        self.tag = '"one"'
        self.ranges = True
        self.headers: dict[str, str] = {}
        self.sends_on_to = ""
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def do_HEAD(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/set.tar.gz"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if self.sends_on_to:
            request.send_response(302)
            request.send_header("Location", self.sends_on_to)
            request.send_header("Content-Length", "0")
        start = 0 if self.sends_on_to else self._begin(request)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.close_connection = True
        if request.command == "GET" and not self.sends_on_to:
            whole = self.content[start:]
            request.wfile.write(whole[: self.cuts.pop(0)] if self.cuts else whole)
            request.wfile.flush()

    def _begin(self, request: BaseHTTPRequestHandler) -> int:
        """Begin an answer with the content; return where the content is to begin."""
        asked = request.headers.get("Range", "")
        if request.command == "GET":
            self.asked.append(asked)
        start = 0
        if asked and self.ranges and request.headers.get("If-Range") == self.tag:
            match = re.fullmatch(r"bytes=(\d+)-", asked)
            assert match
            start = int(match[1])
            request.send_response(206)
            end = len(self.content)
            request.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        else:
            request.send_response(200)
        request.send_header("Content-Length", str(len(self.content) - start))
        request.send_header("ETag", self.tag)
        return start
