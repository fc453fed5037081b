"""Serves localstripe on a free port of this machine only, and says which. It ends with its standard input."""

import asyncio
import sys

from aiohttp import web
from localstripe.server import app


async def serve():
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


asyncio.run(serve())
