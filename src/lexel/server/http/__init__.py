"""Which limits, checks and headers apply to every request?

Read in this order, from the outside in; each is a piece of ASGI middleware but the first and the last two:

    connections  a connection that sends its request too slowly is closed
    request_log  an id, a line in the log, metrics; unexpected errors
    pages        security headers for the browser
    access       who may send requests: hosts, origins, keys
    admission    limits of number, size and time; work is cancelled when its client leaves
    bodies       JSON or a form, as the model of a request
    problems     every error as a problem document (RFC 9457)
"""
