"""Networks that others trained, read as integer networks.

:func:`sw.importers.qonnx.load` reads QONNX and ONNX files. What stands between two integer tensors
of such a file is folded by evaluation (:mod:`sw.fold`), with the file's own operators as the judge.
"""
