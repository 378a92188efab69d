"""To cut a connection as a broken network does: with a reset (RST), not with an orderly close."""

import socket
import struct

from aiohttp import web


def reset(request: web.Request) -> None:
    """Reset the connection that this request came on. Nothing is answered."""
    transport = request.transport
    if transport is None:
        return
    end = transport.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
