"""Functions that take requests as HTTP streams: the host forwards them to a server in the worker."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("things/{name}", methods=["POST", "GET", "HEAD"])
async def take(req: Request) -> Response:
    """Answers with the number of bytes that came, and what came with them."""
    size = 0
    async for part in req.stream():
        size += len(part)
    return Response(f"{size} {req.path_params['name']} {req.headers.getlist('x-repeated')}")


@app.route("failing", methods=["POST"])
async def fail(req: Request) -> Response:
    body = await req.body()
    raise ValueError(f"with {len(body)} bytes")
