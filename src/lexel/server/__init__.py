"""How do many people and programs use one model, or search one library, at the same time?

Over HTTP: an API with an OpenAPI description, and a web page. Read in this order:

    settings   every limit, in one place
    batching   many small requests become few large calls of the towers
    service    the model and the library that are served
    schemas    what requests and answers look like
    http       what holds for every request: limits, keys, errors, the log
    routes     one file for each thing that can be asked
    drawing    the judge of the drawing game
    page       what the web page needs beside the API
    app        all of it as one ASGI application
    run        the process around it; `listening` has its socket, `workers` several processes
    client     a Python client of the API: `lexel.Client`
    web        the page
"""
