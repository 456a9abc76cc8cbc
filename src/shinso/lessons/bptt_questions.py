"""Check questions of the BPTT lesson: one right answer each, and why."""

from shinso.language import Text
from shinso.lessons.bptt_problem import Cell
from shinso.lessons.lesson import Question

_RNN = (
    Question(
        question=Text(
            en="Which weight of an RNN carries information from one step to the next?",
            ja="RNN で、あるステップから次のステップへ情報を運ぶ重みはどれですか。",
        ),
        answers=(
            Text(en="W_in, from the input to the hidden layer", ja="入力から隠れ層への W_in"),
            Text(en="W, from hidden layer to hidden layer", ja="隠れ層から隠れ層への W"),
            Text(en="W_out, from the hidden layer to the output", ja="隠れ層から出力への W_out"),
        ),
        correct=1,
        reason=Text(
            en="Only W multiplies the earlier state z_{t−1}. With W = 0 each step forgets all "
            "before it.",
            ja="前の状態 z_{t−1} に掛かるのは W だけです。"
            "W = 0 なら、どのステップも過去を忘れます。",
        ),
    ),
    Question(
        question=Text(
            en="What does δ_t = ∂E/∂u_t meet in the gradient of W?",
            ja="W の勾配で、δ_t = ∂E/∂u_t と組になるのはどれですか。",
        ),
        answers=(
            Text(en="z_t, the state after the step", ja="そのステップの後の状態 z_t"),
            Text(en="x_t, the input of the step", ja="そのステップの入力 x_t"),
            Text(en="z_{t−1}, the state before the step", ja="そのステップの前の状態 z_{t−1}"),
        ),
        correct=2,
        reason=Text(
            en="u_t = W_in x_t + W z_{t−1} + b: W multiplied z_{t−1}, so ∂u_t/∂W holds z_{t−1}. "
            "The course's sine figure uses z_t by mistake.",
            ja="u_t = W_in x_t + W z_{t−1} + b で W が掛かるのは z_{t−1} です。講座の sin 波の図は"
            "誤って z_t を使っています。",
        ),
    ),
    Question(
        question=Text(
            en="y = σ(v). What is ∂y/∂v, written with y?",
            ja="y = σ(v) のとき、∂y/∂v を y で表すとどれですか。",
        ),
        answers=(
            Text(en="y (1 − y)", ja="y (1 − y)"),
            Text(en="σ(y) (1 − σ(y))", ja="σ(y) (1 − σ(y))"),
            Text(en="1 − y²", ja="1 − y²"),
        ),
        correct=0,
        reason=Text(
            en="σ′(v) = σ(v)(1 − σ(v)) and σ(v) is y already. σ(y)(1 − σ(y)) squashes twice; "
            "1 − y² belongs to tanh.",
            ja="σ′(v) = σ(v)(1 − σ(v)) で、σ(v) はすでに y です。σ(y)(1 − σ(y)) は2回 σ を"
            "通しています。1 − y² は tanh の微分です。",
        ),
    ),
    Question(
        question=Text(
            en="For z = t² and t = x + y, what is dz/dx?",
            ja="z = t²、t = x + y のとき、dz/dx はどれですか。",
        ),
        answers=(
            Text(en="2t", ja="2t"),
            Text(en="t", ja="t"),
            Text(en="2x", ja="2x"),
        ),
        correct=0,
        reason=Text(
            en="Chain rule: dz/dt · dt/dx = 2t · 1 = 2(x + y). BPTT is this rule along time.",
            ja="連鎖律で dz/dt · dt/dx = 2t · 1 = 2(x + y) です。"
            "BPTT はこれを時間方向に続けたものです。",
        ),
    ),
)

_LSTM = (
    Question(
        question=Text(
            en="Along which path does the error reach far back in an LSTM?",
            ja="LSTM で、誤差が遠い過去まで届く経路はどれですか。",
        ),
        answers=(
            Text(
                en="from cell to cell, times the forget gate",
                ja="セルからセルへ、忘却ゲートを掛けて",
            ),
            Text(en="from gate to gate, times U", ja="ゲートからゲートへ、U を掛けて"),
            Text(en="from output to output, times W_out", ja="出力から出力へ、W_out を掛けて"),
        ),
        correct=0,
        reason=Text(
            en="∂c_t/∂c_{t−1} along the cell is f_t, with no weight and no squashing: with f near "
            "1 hardly anything is lost.",
            ja="セルに沿った ∂c_t/∂c_{t−1} は f_t だけで、重みも活性化関数も掛かりません。f が 1 に"
            "近ければほとんど失われません。",
        ),
    ),
    Question(
        question=Text(
            en="What does the forget gate do when it is 0?",
            ja="忘却ゲートが 0 のとき、何が起きますか。",
        ),
        answers=(
            Text(en="It keeps the cell as it was", ja="セルの中身をそのまま残す"),
            Text(en="It lets nothing new in", ja="新しいものを何も入れない"),
            Text(en="It drops what the cell held", ja="セルの中身を捨てる"),
        ),
        correct=2,
        reason=Text(
            en="c_t = f ⊙ c_{t−1} + i ⊙ g: with f = 0 the old cell is gone, and no error goes "
            "back through it either.",
            ja="c_t = f ⊙ c_{t−1} + i ⊙ g なので、f = 0 なら古い中身は消え、誤差もそこを通って"
            "戻りません。",
        ),
    ),
    Question(
        question=Text(
            en="The sigmoid's derivative is at most …",
            ja="シグモイド関数の微分の最大値はどれですか。",
        ),
        answers=(
            Text(en="0.15", ja="0.15"),
            Text(en="0.25", ja="0.25"),
            Text(en="1", ja="1"),
        ),
        correct=1,
        reason=Text(
            en="σ′ = σ(1 − σ) is largest at 0, where σ = 0.5: 0.25. A product of k such factors "
            "is at most 0.25 to the power k.",
            ja="σ′ = σ(1 − σ) は 0 で最大となり、σ = 0.5 なので 0.25 です。k 個掛けると 0.25 の k "
            "乗以下になります。",
        ),
    ),
    Question(
        question=Text(
            en="Why is δo_t made from ∂E/∂h_t and not from ∂E/∂c_t?",
            ja="δo_t が ∂E/∂c_t ではなく ∂E/∂h_t から作られるのはなぜですか。",
        ),
        answers=(
            Text(en="The output gate has no weights", ja="出力ゲートには重みがないから"),
            Text(en="The output gate acts after the cell", ja="出力ゲートはセルの後で働くから"),
            Text(en="The output gate is always 1", ja="出力ゲートは常に 1 だから"),
        ),
        correct=1,
        reason=Text(
            en="h_t = o_t ⊙ tanh(c_t): o_t changes h_t but not c_t, so its error comes from h_t.",
            ja="h_t = o_t ⊙ tanh(c_t) なので、o_t は h_t を変えますが c_t は変えません。",
        ),
    ),
)

_GRU = (
    Question(
        question=Text(
            en="How many gates has a GRU, without the candidate?",
            ja="GRU のゲートは、候補を除いていくつありますか。",
        ),
        answers=(Text(en="one", ja="1つ"), Text(en="two", ja="2つ"), Text(en="three", ja="3つ")),
        correct=1,
        reason=Text(
            en="Reset and update. An LSTM has three, so a GRU of equal width has 3/4 of its "
            "parameters (three blocks of weights instead of four).",
            ja="リセットゲートと更新ゲートの2つです。LSTM は3つなので、同じ幅なら "
            "GRU のパラメータ数は 3/4 (重みの組が4つではなく3つ) です。",
        ),
    ),
    Question(
        question=Text(
            en="h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}. What happens with z = 1?",
            ja="h_t = (1 − z) ⊙ n + z ⊙ h_{t−1} で z = 1 のとき、何が起きますか。",
        ),
        answers=(
            Text(en="The state is replaced by the candidate", ja="状態が候補に置き換わる"),
            Text(en="The state becomes 0", ja="状態が 0 になる"),
            Text(
                en="The state is copied from the step before", ja="前のステップの状態がそのまま残る"
            ),
        ),
        correct=2,
        reason=Text(
            en="The candidate gets the factor 0 and h_{t−1} the factor 1; the error goes back "
            "unchanged as well. (Some texts write z and 1 − z the other way round.)",
            ja="候補の係数が 0、h_{t−1} の係数が 1 になり、誤差もそのまま戻ります。"
            "(z と 1 − z を逆に書く文献もあります。)",
        ),
    ),
    Question(
        question=Text(
            en="What does the reset gate act on?",
            ja="リセットゲートは何に働きますか。",
        ),
        answers=(
            Text(en="on the memory that the candidate sees", ja="候補から見える記憶"),
            Text(en="on the output y_t", ja="出力 y_t"),
            Text(en="on the input x_t", ja="入力 x_t"),
        ),
        correct=0,
        reason=Text(
            en="n = tanh(W_n x + b_n + r ⊙ m): with r = 0 the candidate is made from the input "
            "alone.",
            ja="n = tanh(W_n x + b_n + r ⊙ m) なので、r = 0 なら候補は入力だけから作られます。",
        ),
    ),
)

QUESTIONS: dict[Cell, tuple[Question, ...]] = {"rnn": _RNN, "lstm": _LSTM, "gru": _GRU}
