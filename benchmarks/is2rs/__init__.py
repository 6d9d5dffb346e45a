"""Which relaxations of adsorbates by a force field cannot be trusted."""
