"""Tools for testing actor programs: a runtime whose time and order the test decides.

sim: the simulated runtime. simnet: a network of several, on which things go wrong. stress: a
torture of the real one, `python -m iris.testing.stress`. trial: random systems under supervision
in simulation, `python -m iris.testing.trial`.
"""

from iris.testing.sim import SimRuntime
from iris.testing.simnet import SimNetwork

__all__ = ["SimNetwork", "SimRuntime"]
