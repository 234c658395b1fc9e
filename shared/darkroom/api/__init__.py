"""How does the HTTP API work?

request ─▶ route ─▶ caller ─▶ rate ─▶ body ─▶ handler ─▶ answer ─▶ headers
             └──────────┴────────┴───────┴───────┴─▶ problem ──────┘

entrypoint   the function
application  the way of one request, as drawn above
routing      what a route is, and which one a request means
routes       the table of all routes: authorisation, documentation and tests read the same one
callers      who asks, and what may they do
rates        how often
reading      bodies and queries, checked
submissions  a picture with its wishes, however it was sent
fetching     a picture that lies behind a URL
addresses    which addresses are public
service      health, versions, presets, stages, models
instant      pictures at once
jobs         jobs: made, listed, changed
files        results, originals, thumbnails, manifests
progress     how far a job is, live
quality      the queue of people's decisions
compatible   paths that other services have
views        what answers look like
problems     the one place where an error becomes an answer
openapi      the description, made from the table
page         the description for people
parts        what handlers work with
"""
