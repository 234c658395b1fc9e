"""The whole cloud on one machine.

    ┌──────────── supervisor, one per home ────────────┐         ┌──────── worker, one per processor ───────┐
    │ watches uploads/ ─▶ queue ─▶ leases ─▶ POST ──────┼─ HTTP ─▶│ functions/*/main.py by functions-framework│
    │                      ▲  2xx: ack, else: nack      │         └───────┬──────────────────────────────────┘
    └──────────────────────┼───────────────────────────┘                 │ objects, jobs, next message
                           └──────────── SQLite and folders under home ◀──┘

    cloud         `LocalCloud`, to be embedded: start, wait, stop
    supervisor  the loop that sends requests to the workers
    worker_pool        the worker processes: start, state, restart
    courier     one HTTP request, and what its answer means
    envelopes   a delivery as the request that Pub/Sub or Eventarc would make of it
    lock        one supervisor per home
    worker      the process that serves the functions
    stdin_watch   ends a worker or the API server when the supervisor ends
    api_server  the process that serves the HTTP API
    mount       the functions of this repository as one WSGI application

For the functions there is no difference from Google Cloud: bodies, headers and the rules of delivery are the same.
"""
