"""The HTTP API.

request ─▶ rate limit ─▶ route ─▶ caller ─▶ admission ─▶ query and body ─▶ handler ─▶ response ─▶ headers
                │          │         │          │              │              │
                └──────────┴─────────┴──────────┴──────────────┴──────────────┴─▶ problem document

core/     the path of a request: application, routing, bodies, admission, rate limits, problem documents, OpenAPI
routes/   the handlers and their routes; `table` lists the routes of all modules
pages/    the HTML pages, with their Jinja2 templates, style sheets and scripts in `templates/`
legacy/   the paths of five other picture services
"""
