"""The course's table of contents: its chapters in their order, with their titles.

The syllabus is fixed, so it is written out here. A folder below ``claims`` whose chapter is not
named here comes after all others, under its own name.
"""

from __future__ import annotations

from shinso.language import Text

CHAPTERS = {
    "rnn": Text("Recurrent networks", "再帰型ニューラルネットワーク"),
    "lstm": Text("LSTM", "LSTM"),
    "gru": Text("GRU", "GRU"),
    "birnn": Text("Bidirectional networks", "双方向 RNN"),
    "seq2seq": Text("Encoder and decoder", "Seq2Seq"),
    "hred": Text("Dialogue with context: HRED", "文脈のある対話：HRED"),
    "vhred": Text("Dialogue with variation: VHRED", "多様な対話：VHRED"),
    "autoencoder": Text("Autoencoder", "オートエンコーダ"),
    "vae": Text("Variational autoencoder", "変分オートエンコーダ"),
    "word2vec": Text("Word vectors", "単語の分散表現"),
    "attention": Text("Attention", "注意機構"),
    "rl": Text("Reinforcement learning", "強化学習"),
    "go": Text("AlphaGo", "AlphaGo"),
    "data-parallel": Text("Data parallelism", "データ並列"),
    "model-parallel": Text("Model parallelism", "モデル並列"),
    "quantization": Text("Quantization", "量子化"),
    "distillation": Text("Distillation", "蒸留"),
    "pruning": Text("Pruning", "枝刈り"),
    "mobilenet": Text("MobileNet", "MobileNet"),
    "densenet": Text("DenseNet", "DenseNet"),
    "batchnorm": Text("Batch normalization", "バッチ正規化"),
    "layernorm": Text("Layer normalization", "レイヤー正規化"),
    "instancenorm": Text("Instance normalization", "インスタンス正規化"),
    "wavenet": Text("WaveNet", "WaveNet"),
    "language-model": Text("Language models", "言語モデル"),
    "transformer": Text("Transformer", "Transformer"),
    "bert": Text("BERT", "BERT"),
    "detection": Text("Object detection", "物体検出"),
    "segmentation": Text("Segmentation", "領域分割"),
}


def title(chapter: str) -> Text:
    """The chapter's title; its own name where the course has no such chapter."""
    return CHAPTERS.get(chapter, Text(chapter, chapter))


def place(chapter: str) -> tuple[int, str]:
    """A sort key: the order of the course, then of the alphabet."""
    order = list(CHAPTERS)
    return (order.index(chapter) if chapter in CHAPTERS else len(order), chapter)
