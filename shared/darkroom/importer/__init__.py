"""The function that fetches the pictures of an import.

entrypoint  an event becomes a call of the handler
fetching    what the network does becomes an error that is tried again, or one that is not
hosts       how many pictures are fetched from one host at the same time
"""
