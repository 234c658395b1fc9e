"""Connects to external servers: fetches the pictures of an import, and sends webhooks."""

import functions_framework

from darkroom.importer import entrypoint

on_import = functions_framework.cloud_event(entrypoint.on_import)
on_callback = functions_framework.cloud_event(entrypoint.on_callback)
