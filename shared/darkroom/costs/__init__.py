"""Estimates the cost of processing pictures on Google Cloud.

prices.toml     list prices with their date, which an operator may edit
figures.json    time and memory of each step, measured by `python -m infra.simulation.measure`
estimate        computes the cost from both
"""
