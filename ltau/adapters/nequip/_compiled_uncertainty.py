"""Results from a model that was compiled with its uncertainty."""

from __future__ import annotations

from ltau.adapters._forces.reporter import Reporter
from ltau.adapters._forces.results import Results
from ltau.adapters.nequip._features import features_of
from ltau.adapters.nequip._fields import Fields
from ltau.adapters.nequip._latents import latents_of
from ltau.adapters.nequip._models import SUMMARY, UNCERTAINTY

__all__ = ["CompiledUncertainty"]


class CompiledUncertainty(Reporter):
    """Take the uncertainty of each atom's force from the model's own output."""

    def read(self, out: Fields, fields: Fields) -> Results:
        """Give the results, under the names in `properties`, of a model's output and input."""
        features_of(out)  # refuses an uncertainty of what is no latent
        results = self._named(*out[UNCERTAINTY].cpu().numpy(), *out[SUMMARY].tolist())
        if self.keep_latents:
            results["latents"] = latents_of(out, fields)  # the model's own
        return results
