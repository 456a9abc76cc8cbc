"""Matrix products for many steps against the same weights.

c += a b, where b is packed once into panels: WIDTH columns wide, row by row, the order in which
the innermost loop reads it. That loop holds a tile of c in vector registers. It is written in
LLVM's vector types, since no loop in Python text is compiled to that.
"""

import numpy as np
from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from shinso.nn.kernels.compile_numba import kernel, part
from shinso.nn.kernels.scratch import scratch

FEATURES = config.CPU_FEATURES or binding.get_host_cpu_features().flatten()
LANES = 16 if "+avx512f" in FEATURES else 8 if "+avx" in FEATURES else 4
TALL, VECTORS = (4, 3) if LANES == 8 else (8, 2)  # fits 16 registers; the others have 32
WIDTH = LANES * VECTORS
PAD = 2  # rows between strips: without them, all would begin in one set of the cache
STRIP = 8  # columns of a left operand that is packed to be transposed
BLOCK = 128  # rows projected at once


def _tile(rows, vectors, edge):
    """Kernel for ``rows`` × ``vectors`` vectors of c = start + a b; start may be c.

    Addresses are bytes, strides are floats; element (r, k) of a is at r * a_row + k * a_col. At the
    edge, only the first ``wide`` columns of start and c are touched.
    """

    @intrinsic
    def tile(typing_context, a, a_row, a_col, panel, depth, start, start_row, c, c_row, wide):
        return types.void(*[types.intp] * 10), _tile_code(rows, vectors, edge)

    return tile


def _tile_code(rows, vectors, edge):
    f32, i32, i64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
    vector, mask = ir.VectorType(f32, LANES), ir.VectorType(ir.IntType(1), LANES)
    undefined = ir.Constant(vector, ir.Undefined)
    first_lane = ir.Constant(ir.VectorType(i32, LANES), [0] * LANES)

    def code(context, b, signature, args):
        def function(name, returned, *taken):
            name = f"llvm.{name}.v{LANES}f32" + (".p0" if "masked" in name else "")
            return cgutils.get_or_insert_function(b.module, ir.FunctionType(returned, taken), name)

        def places(address, row):
            """Addresses of the tile's vectors, row after row."""
            base = b.inttoptr(address, f32.as_pointer())
            return [
                b.bitcast(b.gep(base, [b.add(b.mul(row, i64(r)), i64(v * LANES))]), vector_pointer)
                for r in range(rows)
                for v in range(vectors)
            ]

        def load(place):
            value = b.load(place)
            value.align = 4
            return value

        vector_pointer = vector.as_pointer()
        a, a_row, a_col, panel, depth, start, start_row, c, c_row, wide = args
        a, panel = (b.inttoptr(address, f32.as_pointer()) for address in (a, panel))
        lefts = [b.gep(a, [b.mul(a_row, i64(r))]) for r in range(rows)]
        if edge:
            lanes = ir.Constant(ir.VectorType(i32, LANES), list(range(LANES)))
            count = b.insert_element(lanes, b.trunc(wide, i32), i32(0))
            there = b.icmp_signed("<", lanes, b.shuffle_vector(count, count, first_lane))
            masked = function("masked.load", vector, vector_pointer, i32, mask, vector)
            zeros = ir.Constant(vector, [0.0] * LANES)
            sums = [b.call(masked, [p, i32(4), there, zeros]) for p in places(start, start_row)]
        else:
            sums = [load(place) for place in places(start, start_row)]

        before, loop, after = b.block, b.append_basic_block(), b.append_basic_block()
        b.branch(loop)
        b.position_at_end(loop)
        k, k_left = b.phi(i64), b.phi(i64)
        carried = [b.phi(vector) for _ in sums]
        row = b.gep(panel, [b.mul(k, i64(WIDTH))])
        rights = [
            load(b.bitcast(b.gep(row, [i64(v * LANES)]), vector_pointer)) for v in range(vectors)
        ]
        multiply_add = function("fmuladd", vector, vector, vector, vector)
        new = []
        for left in lefts:
            number = b.load(b.gep(left, [k_left]))
            spread = b.insert_element(undefined, number, i32(0))
            spread = b.shuffle_vector(spread, undefined, first_lane)
            for right in rights:
                new.append(b.call(multiply_add, [spread, right, carried[len(new)]]))
        steps = [(k, i64(0), b.add(k, i64(1))), (k_left, i64(0), b.add(k_left, a_col))]
        for phi, first, following in [*steps, *zip(carried, sums, new, strict=True)]:
            phi.add_incoming(first, before)
            phi.add_incoming(following, loop)
        b.cbranch(b.icmp_signed("<", steps[0][2], depth), loop, after)

        b.position_at_end(after)
        if edge:
            nothing = ir.VoidType()
            masked = function("masked.store", nothing, vector, vector_pointer, i32, mask)
            for place, value in zip(places(c, c_row), new, strict=True):
                b.call(masked, [value, place, i32(4), there])
        else:
            for place, value in zip(places(c, c_row), new, strict=True):
                b.store(value, place).align = 4
        return context.get_dummy_value()

    return code


def _move(count):
    """Kernel that copies ``count`` floats, all of them read before one is written."""

    @intrinsic
    def move(typing_context, source, target):
        def code(context, b, signature, args):
            pointer = ir.VectorType(ir.FloatType(), count).as_pointer()
            source, target = (b.inttoptr(address, pointer) for address in args)
            value = b.load(source)
            value.align = 4
            b.store(value, target).align = 4
            return context.get_dummy_value()

        return types.void(types.intp, types.intp), code

    return move


_tall, _four, _two, _one = (_tile(rows, VECTORS, edge=False) for rows in (TALL, 4, 2, 1))
_tall_edge, _one_edge = (_tile(rows, 1, edge=True) for rows in (TALL, 1))
_move_panel, _move_strip = _move(WIDTH), _move(STRIP)


@kernel
def multiply(
    a, a_row, a_col, panels, depth, start, start_row, c, c_row, rows, columns
):  # pragma: no cover
    """c = start + a b from addresses, b packed; strides are floats. start may be c.

    Columns that fill no panel are done one vector at a time.
    """
    for j in range(0, columns - columns % WIDTH, WIDTH):
        p, r, w = panels + 4 * j * depth, 0, WIDTH
        while rows - r >= TALL:
            s, t = start + 4 * (r * start_row + j), c + 4 * (r * c_row + j)
            _tall(a + 4 * r * a_row, a_row, a_col, p, depth, s, start_row, t, c_row, w)
            r += TALL
        if rows - r >= 4:
            s, t = start + 4 * (r * start_row + j), c + 4 * (r * c_row + j)
            _four(a + 4 * r * a_row, a_row, a_col, p, depth, s, start_row, t, c_row, w)
            r += 4
        if rows - r >= 2:
            s, t = start + 4 * (r * start_row + j), c + 4 * (r * c_row + j)
            _two(a + 4 * r * a_row, a_row, a_col, p, depth, s, start_row, t, c_row, w)
            r += 2
        if rows - r >= 1:
            s, t = start + 4 * (r * start_row + j), c + 4 * (r * c_row + j)
            _one(a + 4 * r * a_row, a_row, a_col, p, depth, s, start_row, t, c_row, w)
    whole = columns - columns % WIDTH
    for j in range(whole, columns, LANES):
        p, r, w = panels + 4 * (whole * depth + j - whole), 0, min(LANES, columns - j)
        while rows - r >= TALL:
            s, t = start + 4 * (r * start_row + j), c + 4 * (r * c_row + j)
            _tall_edge(a + 4 * r * a_row, a_row, a_col, p, depth, s, start_row, t, c_row, w)
            r += TALL
        while rows - r >= 1:
            s, t = start + 4 * (r * start_row + j), c + 4 * (r * c_row + j)
            _one_edge(a + 4 * r * a_row, a_row, a_col, p, depth, s, start_row, t, c_row, w)
            r += 1


@part
def add_product(a, row, column, panels, c, c_row, rows, columns):  # pragma: no cover
    """The first ``columns`` of ``rows`` rows of c from c_row on += those of a b.

    a counts from its row and column on.
    """
    a_width, c_width = a.shape[1], c.shape[1]
    left, place = a.ctypes.data + 4 * (row * a_width + column), c.ctypes.data + 4 * c_row * c_width
    multiply(
        left, a_width, 1, panels.ctypes.data, panels.shape[1],
        place, c_width, place, c_width, rows, columns,
    )  # fmt: skip


@part
def set_product(a, row, column, panels, bias, c, c_row, rows):  # pragma: no cover
    """``rows`` rows of c from c_row on = bias + a b; a counts from its row and column on."""
    a_width, c_width = a.shape[1], c.shape[1]
    left, place = a.ctypes.data + 4 * (row * a_width + column), c.ctypes.data + 4 * c_row * c_width
    multiply(
        left, a_width, 1, panels.ctypes.data, panels.shape[1],
        bias.ctypes.data, 0, place, c_width, rows, c_width,
    )  # fmt: skip


@kernel
def affine(x, x_row, panels, bias, out, out_row, rows):  # pragma: no cover
    """``rows`` rows of out = bias + x b, by blocks that fit the cache; x may be wider than b."""
    for r in range(0, rows, BLOCK):
        some = min(BLOCK, rows - r)
        set_product(x, x_row + r, 0, panels, bias, out, out_row + r, some)


@kernel
def fill_panels(b, start, rows, panels):  # pragma: no cover
    """The given rows of b, in panels; ~r is row r of start."""
    columns, depth = b.shape[1], rows.shape[0]
    whole, target = columns - columns % WIDTH, panels.ctypes.data
    for k in range(depth):
        row = rows[k]
        source = b.ctypes.data + 4 * row * columns
        if row < 0:
            source = start.ctypes.data + 4 * ~row * columns
        for j in range(0, whole, WIDTH):
            _move_panel(source + 4 * j, target + 4 * (j * depth + k * WIDTH))
    for k in range(depth):
        row, place = rows[k], whole * depth + k * WIDTH
        for j in range(whole, columns):
            panels[place + j - whole] = b[row, j] if row >= 0 else start[~row, j]


@kernel
def _fill_panels_transposed(b, panels):  # pragma: no cover
    columns, depth = b.shape
    for first in range(0, columns, WIDTH):
        target = panels[first * depth : (first + WIDTH) * depth]
        for j in range(min(WIDTH, columns - first)):
            for k in range(depth):
                target[k * WIDTH + j] = b[first + j, k]


@kernel
def fill_strips(d, first, depth, lo, hi, strips, sums):  # pragma: no cover
    """Columns lo … hi-1 of ``depth`` rows of d, STRIP columns at a time; adds them to sums."""
    width, columns, pitch = d.shape[1], hi - lo, depth + PAD
    whole, target = columns - columns % STRIP, strips.ctypes.data
    for k in range(depth):
        source = d.ctypes.data + 4 * ((first + k) * width + lo)
        for j in range(0, whole, STRIP):
            _move_strip(source + 4 * j, target + 4 * (j * pitch + k * STRIP))
    for k in range(depth):
        place = whole * pitch + k * STRIP
        for j in range(whole, columns):
            strips[place + j - whole] = d[first + k, lo + j]
    for k in range(depth):
        row = d[first + k, lo:hi]
        for j in range(columns):
            sums[j] += row[j]


@kernel
def add_transposed_product(strips, depth, panels, out):  # pragma: no cover
    """out += aᵀ b, a in strips."""
    rows, columns = out.shape
    for row in range(0, rows, STRIP):
        a = strips.ctypes.data + 4 * row * (depth + PAD)
        place = out.ctypes.data + 4 * row * columns
        some = min(STRIP, rows - row)
        multiply(
            a, 1, STRIP, panels.ctypes.data, depth, place, columns, place, columns, some, columns
        )


def panels_of(name, rows, columns):
    """Room for the panels of a matrix, in the scratch memory of this name; None: in its own."""
    shape = -(-columns // WIDTH), rows, WIDTH
    return np.empty(shape, np.float32) if name is None else scratch(name, *shape)


def pack(b, name):
    """Panels of b, in the scratch memory of this name."""
    panels = panels_of(name, *b.shape)
    fill_panels(b, b, np.arange(len(b)), panels.reshape(-1))
    return panels


def pack_transposed(b, name):
    """Panels of the transpose of b, in the scratch memory of this name."""
    panels = panels_of(name, b.shape[1], b.shape[0])
    _fill_panels_transposed(b, panels.reshape(-1))
    return panels
