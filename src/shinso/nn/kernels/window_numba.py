"""The three products of a word2vec window: a few rows x against blocks of six rows y.

    scores    s_ct = x_c · y_t
    gather    y_t += Σ_c g_ct x_c       (the targets' gradients)
    scatter   x_c += Σ_t g_ct y_t       (the context words' gradients)

Rows lie anywhere in large tables, so they come as addresses. Sums stay in vector registers, which
no loop in Python text is compiled to; so this is written in LLVM's vector types, as is
``matrix_numba``.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8  # on every processor, so that tables read on one fit another
SIX = 6  # 6 × 2 sums and their operands fill the 16 registers of AVX2

_f32, _i64 = ir.FloatType(), ir.IntType(64)
_vector = ir.VectorType(_f32, LANES)


class _Text:
    """Short names for what the three products have in common."""

    def __init__(self, builder):
        self.b = builder

    def function(self, name, returned, *taken):
        return cgutils.get_or_insert_function(
            self.b.module, ir.FunctionType(returned, taken), f"llvm.{name}.v{LANES}f32"
        )

    def place(self, address, kind):
        return self.b.inttoptr(address, kind.as_pointer())

    def load(self, address, floats=0):
        """The vector at ``address``, some floats on."""
        value = self.b.load(self.place(self.b.add(address, _i64(4 * floats)), _vector))
        value.align = 4
        return value

    def store(self, value, address, floats=0):
        place = self.place(self.b.add(address, _i64(4 * floats)), _vector)
        self.b.store(value, place).align = 4

    def spread(self, address, number):
        """The float at ``address`` + ``number`` in every lane."""
        value = self.b.load(self.place(self.b.add(address, _i64(4 * number)), _f32))
        lane = self.b.insert_element(ir.Constant(_vector, ir.Undefined), value, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.b.shuffle_vector(lane, ir.Constant(_vector, ir.Undefined), zeros)

    def multiply_add(self, one, two, three):
        return self.b.call(self.function("fmuladd", _vector, *[_vector] * 3), [one, two, three])

    def sum(self, value):
        name = self.function("vector.reduce.fadd", _f32, _f32, _vector)
        return self.b.call(name, [ir.Constant(_f32, 0.0), value], fastmath=("reassoc",))

    def loop(self, count, starts, body):
        """``body(n, carried)`` for n = 0 … count-1, count ≥ 1; what is carried at the end."""
        before, inside, after = self.b.block, *(self.b.append_basic_block() for _ in range(2))
        self.b.branch(inside)
        self.b.position_at_end(inside)
        n = self.b.phi(_i64)
        carried = [self.b.phi(start.type) for start in starts]
        new = body(n, carried)
        following = self.b.add(n, _i64(1))
        n.add_incoming(_i64(0), before)
        n.add_incoming(following, self.b.block)
        for phi, start, value in zip(carried, starts, new, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(value, self.b.block)
        self.b.cbranch(self.b.icmp_signed("<", following, count), inside, after)
        self.b.position_at_end(after)
        return new


_ZEROS = ir.Constant(_vector, [0.0] * LANES)


@intrinsic
def scores(typing_context, x0, x1, y, y_row, vectors, to0, to1):
    """Products of two rows of x with six rows of y, which lie y_row bytes apart."""

    def code(context, b, signature, args):
        x0, x1, y, y_row, vectors, to0, to1 = args
        t = _Text(b)
        rows = [b.add(y, b.mul(y_row, _i64(r))) for r in range(SIX)]

        def body(n, carried):
            at = b.mul(n, _i64(4 * LANES))
            left = t.load(b.add(x0, at)), t.load(b.add(x1, at))
            new = []
            for r in range(SIX):
                right = t.load(b.add(rows[r], at))
                new += [t.multiply_add(left[i], right, carried[2 * r + i]) for i in range(2)]
            return new

        sums = t.loop(vectors, [_ZEROS] * (2 * SIX), body)
        for r in range(SIX):
            for i, to in enumerate((to0, to1)):
                b.store(t.sum(sums[2 * r + i]), t.place(b.add(to, _i64(4 * r)), _f32))
        return context.get_dummy_value()

    return types.void(*[types.intp] * 7), code


def _gather(vectors):
    """Kernel for ``vectors`` vectors of columns, ``at`` bytes into every row."""

    @intrinsic
    def gather(typing_context, xs, count, g, g_row, ys, at):
        """xs, ys: where the addresses of the rows stand. g: c-th row g_row bytes on."""

        def code(context, b, signature, args):
            xs, count, g, g_row, ys, at = args
            t = _Text(b)

            def body(n, carried):
                row = b.add(b.load(t.place(b.add(xs, b.mul(n, _i64(8))), _i64)), at)
                x = [t.load(row, v * LANES) for v in range(vectors)]
                weights = b.add(g, b.mul(n, g_row))
                new = []
                for r in range(SIX):
                    weight = t.spread(weights, r)
                    new += [
                        t.multiply_add(weight, x[v], carried[r * vectors + v])
                        for v in range(vectors)
                    ]
                return new

            sums = t.loop(count, [_ZEROS] * (SIX * vectors), body)
            for r in range(SIX):
                row = b.add(b.load(t.place(b.add(ys, _i64(8 * r)), _i64)), at)
                for v in range(vectors):
                    old = t.load(row, v * LANES)
                    t.store(b.fadd(old, sums[r * vectors + v]), row, v * LANES)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 6), code

    return gather


def _scatter(vectors):
    """Kernel for ``vectors`` vectors of columns, ``at`` bytes into every row."""

    @intrinsic
    def scatter(typing_context, xs, count, g, g_row, y, y_row, at):
        """xs: where the addresses of the rows stand."""

        def code(context, b, signature, args):
            xs, count, g, g_row, y, y_row, at = args
            t = _Text(b)
            start = b.add(y, at)
            rows = [b.add(start, b.mul(y_row, _i64(r))) for r in range(SIX)]
            tile = [[t.load(row, v * LANES) for v in range(vectors)] for row in rows]

            def body(n, carried):
                row = b.add(b.load(t.place(b.add(xs, b.mul(n, _i64(8))), _i64)), at)
                x = [t.load(row, v * LANES) for v in range(vectors)]
                weights = b.add(g, b.mul(n, g_row))
                for r in range(SIX):
                    weight = t.spread(weights, r)
                    x = [t.multiply_add(weight, tile[r][v], x[v]) for v in range(vectors)]
                for v in range(vectors):
                    t.store(x[v], row, v * LANES)
                return []

            t.loop(count, [], body)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 7), code

    return scatter


gather_two, gather_one = _gather(2), _gather(1)
scatter_two, scatter_one = _scatter(2), _scatter(1)
