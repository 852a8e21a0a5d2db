"""A page and its module on a loopback port, which browsers count as a secure context."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(title, name, module, policy):
    """Serves `/` and the module under its name, with this Content-Security-Policy; gives the address."""
    page = f"<!doctype html><title>{title}</title>".encode()
    pages = {"/": ("text/html", page), f"/{name}": ("text/javascript", module)}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body = pages.get(self.path, ("text/plain", b""))
            self.send_response(200 if self.path in pages else 404)
            for name, value in [("Content-Type", kind), ("Content-Security-Policy", policy), ("Content-Length", len(body))]:
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "http://localhost:%d/" % server.server_address[1]
