"""A trained model becomes smaller or portable: quantized, pruned, distilled, exported.

Everything here works on any network, by what it consists of and by the calls that were made of
it; nothing knows a recipe.
"""
