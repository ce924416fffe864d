"""Networks of other frameworks: PyTorch, Keras and FANN, in and out.

None of them is imported here but where an object of it is made; objects that are given
are read by the names of their classes and attributes.
"""
