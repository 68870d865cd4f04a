"""`lexel serve`"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lexel.cli.options import NumberFormat, Runtime
from lexel.cli.verb import RARE


def serve(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|LIBRARY",
            help="A library, such as photos.lexel; or a model, as for lexel classify.",
            show_default=False,
        ),
    ],
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; the default is for this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 takes a free one and prints it.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of processes; each has the model and a share of the cores.")
    ] = 1,
    api_keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Accept only requests with a key of this file (one a line).", show_default=False
        ),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse to add or remove photos.")] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="MODEL", help="Where the library's model lies now.", show_default=False),
    ] = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Host name of the server, for example behind a proxy.", rich_help_panel=RARE),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Accept requests of this site's pages: https://shop.example.",
            rich_help_panel=RARE,
            show_default=False,
        ),
    ] = None,
    max_body: Annotated[int, typer.Option(metavar="MB", min=1, help="Largest request.", rich_help_panel=RARE)] = 32,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Longest time for a request.", rich_help_panel=RARE)
    ] = 60.0,
    batch_wait: Annotated[
        float,
        typer.Option(
            metavar="MS",
            min=0,
            max=1000,
            help="How long to wait for more inputs to embed at once.",
            rich_help_panel=RARE,
        ),
    ] = 2.0,
    log: Annotated[
        Literal["json", "text", "off"] | None,
        typer.Option(
            metavar="STYLE",
            help="Log of requests on standard error: json, text or off (default: text on a terminal, else json).",
            rich_help_panel=RARE,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve a model or a photo library over HTTP: an API and a web page.

    It ends on Ctrl-C, after answering what it was asked. The API is described at /openapi.json; OpenAI's client works
    with it at /v1. See docs/serving.md for keys, proxies and containers.

    \b
    Examples:
      lexel serve photos.lexel
      lexel serve ViT-B-32/openai --host 0.0.0.0 --api-keys keys.txt
    """
    try:
        from lexel.server.listening import ServePlan, hosts_for
        from lexel.server.run import serve as run
    except ModuleNotFoundError as error:
        from lexel.extras import EXTRAS, missing_library

        if error.name is None or error.name.partition(".")[0] not in EXTRAS:
            raise
        raise missing_library("Serving", error.name.partition(".")[0], error) from None
    import sys

    from lexel.cli.options import chosen_model
    from lexel.loading import ModelChoice
    from lexel.server.settings import MIB, ServerSettings, read_keys

    settings = ServerSettings(
        api_keys=read_keys(api_keys) if api_keys else (),
        read_only=read_only,
        cors_origins=tuple(cors_origin or ()),
        allowed_hosts=hosts_for(host, tuple(allow_host or ())),
        max_body_bytes=max_body * MIB,
        request_seconds=timeout,
        batch_wait_ms=batch_wait,
    )
    choice = chosen_model(model, runtime, number_format) if model else None
    if choice is None and (runtime or number_format):
        choice = ModelChoice(target, runtime, number_format)
    style = log or ("text" if sys.stderr.isatty() else "json")
    run(ServePlan(target, settings, choice, host, port, workers, style))
