"""What does it cost to develop so many pictures on Google Cloud?

prices.toml     list prices, dated, to be edited
figures.json    what a step needs, as measured by `python -m infra.simulation.measure`
estimate        both together
"""
