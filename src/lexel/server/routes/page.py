"""The web page: plain files in `server/web/`, of which `/` is `index.html`."""

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).parents[1] / "web"
INDEX = "index.html"


def install_page(app: FastAPI, folder: Path = WEB) -> None:
    """Serve the page, where its files are."""
    if not (folder / INDEX).is_file():
        return

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return FileResponse(folder / INDEX, media_type="text/html")

    app.mount("/web", StaticFiles(directory=folder), name="web")
