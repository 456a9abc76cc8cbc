"""Whole sequences of the recurrent cells as compiled calls: float32, on the CPU.

What makes them fast, in order of weight:

* a recurrent product keeps its weights packed in the order in which it reads them, for all steps,
  and a tile of its result in vector registers (``matrix_numba``);
* a step's input projection and input gradient are computed in blocks of steps that are still in
  the cache, and the gradients of both weights share one pass over the errors after the loop;
* pointwise work is one short loop per gate over one sequence, with few arrays each: only those
  are vectorised; tanh is a quotient of two polynomials (``activation_numba``);
* nothing returns to Python between steps.

All kernels read rows as ``shinso.nn.steps`` lays them out and work on sequences lo … hi-1 only:
sequences do not meet until the weight gradients, so threads split the batch.

Modules here import numba, which costs a third of a second, so they are imported when a sequence is
first run. Compiling takes some seconds, once a machine; the result is kept on disk.
"""
