"""The uncertainty of forces inside metatomic models, whatever made them."""

from ltau.adapters.metatomic._scripting import own_functions

try:
    with own_functions():
        from ltau.adapters.metatomic._latents import latents
        from ltau.adapters.metatomic._model import add_uncertainty, uncertainty_outputs
except ModuleNotFoundError as error:
    message = f"metatomic is needed: pip install 'ltau[metatomic]' ({error})"
    raise ModuleNotFoundError(message, name=error.name) from error

__all__ = ["add_uncertainty", "latents", "uncertainty_outputs"]
