"""The HTTP API: jobs, results and quality control, and pictures at once."""

import functions_framework

from darkroom.api.core import entrypoint

api = functions_framework.http(entrypoint.api)
# The few paths that the framework keeps for itself are answered like all others.
functions_framework.errorhandler(404)(entrypoint.answer_unmatched)
