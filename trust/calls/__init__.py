"""Public calls that take data.

table         all of them, and public parameters of data that none has
networks      methods of networks
functions     functions on networks
kernels       kernels
estimators    methods of estimators
graph         functions of the graph, and metrics
call          a call with one argument left open, and right data for it
"""
