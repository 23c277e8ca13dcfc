"""The functions of `streams_app`, as the platform serves them without HTTP streams."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("things/{name}", methods=["POST", "GET", "HEAD"])
async def take(req: func.HttpRequest) -> func.HttpResponse:
    """Answers with the number of bytes that came, and what came with them."""
    return func.HttpResponse(f"{len(req.get_body())} {req.route_params['name']} {req.headers.get('x-repeated')}")
