"""The functions that send requests to other servers: they fetch the pictures of an import and send webhooks.

entrypoint  calls the handler of an event
fetching    limits requests to one host, and classifies network errors as transient or permanent
"""
