"""Results from a model that was compiled with its uncertainty."""

from __future__ import annotations

from ltau.adapters._forces.reporter import Reporter
from ltau.adapters._forces.results import Results
from ltau.adapters.nequip._fields import Fields
from ltau.adapters.nequip._latents import latents_of
from ltau.adapters.nequip._models import SUMMARY, UNCERTAINTY

__all__ = ["CompiledUncertainty"]


class CompiledUncertainty(Reporter):
    """Take the uncertainty of each atom's force from the model's own output."""

    def read(self, out: Fields) -> Results:
        """Give the results, under the names in `properties`, of a model's output."""
        latents = latents_of(out, {})  # the model's own; refuses what is none
        results = self._named(*out[UNCERTAINTY].cpu().numpy(), *out[SUMMARY].tolist())
        if self.keep_latents:
            results["latents"] = latents
        return results
