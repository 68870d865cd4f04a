"""What holds for every request, whatever it asks?

Read in this order, from the outside in; each is a piece of ASGI middleware but the first and the last two:

    connections  a connection that is slow to say what it wants is closed
    request_log  an id, a line in the log, numbers; errors that nobody foresaw
    pages        headers that tell a browser what a page may do
    access       who may ask: hosts, origins, keys
    admission    how much at once, how large, for how long; work ends when its client leaves
    bodies       JSON or a form, as the model of a request
    problems     every error as a problem document (RFC 9457)
"""
