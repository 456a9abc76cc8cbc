"""Several processes train one model: the same model on shares of each batch (``synchronous``), or
each at its own pace (``asynchronous``), or each a part of the model (``tensor``, ``pipeline``).

The engines are torch's (``torch.distributed``) and Ray; here is what they need to serve any recipe.
"""
