"""Names of microarchitectures, by the numbers with which processors report themselves.

Virtual machines hide the model ("AMD EPYC"), but not these numbers.
"""

#: AMD: family, then the first model of each range and its name.
_AMD = {
    23: (
        (0, "Zen"),
        (8, "Zen+"),
        (17, "Zen"),
        (24, "Zen+"),
        (32, "Zen"),
        (48, "Zen 2"),
    ),
    25: ((0, "Zen 3"), (16, "Zen 4"), (32, "Zen 3"), (96, "Zen 4")),
    26: ((0, "Zen 5"),),
}

#: Intel, family 6: models.
_INTEL = {
    (60, 63, 69, 70): "Haswell",
    (61, 71, 79, 86): "Broadwell",
    (78, 94): "Skylake",
    (85,): "Skylake-SP",
    (142, 158): "Kaby Lake",
    (165, 166): "Comet Lake",
    (106, 108): "Ice Lake-SP",
    (125, 126): "Ice Lake",
    (140, 141): "Tiger Lake",
    (151, 154): "Alder Lake",
    (183, 186, 191): "Raptor Lake",
    (170, 172): "Meteor Lake",
    (143,): "Sapphire Rapids",
    (207,): "Emerald Rapids",
    (173, 174): "Granite Rapids",
}

#: Skylake-SP's model number has been used again, with higher steppings.
_CASCADE_LAKE, _COOPER_LAKE = 5, 10

#: Arm: implementer and part of MIDR.
_ARM = {
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse N1",
    (0x41, 0xD40): "Neoverse V1",
    (0x41, 0xD49): "Neoverse N2",
    (0x41, 0xD4F): "Neoverse V2",
    (0x61, 0x022): "Apple M1",
    (0x61, 0x023): "Apple M1",
    (0x61, 0x032): "Apple M2",
    (0x61, 0x033): "Apple M2",
}


def x86(vendor, family, model, stepping=0):
    """The microarchitecture of a CPU that has CPUID; its numbers if it is unknown.

    Parameters
    ----------
    vendor : str
        As in ``"AuthenticAMD"``.
    family, model, stepping : int
    """
    found = None
    if vendor == "AuthenticAMD":
        for first, name in _AMD.get(family, ()):
            found = name if model >= first else found
    elif vendor == "GenuineIntel" and family == 6:
        names = {number: name for numbers, name in _INTEL.items() for number in numbers}
        found = names.get(model)
        if found == "Skylake-SP" and stepping >= _CASCADE_LAKE:
            found = "Cooper Lake" if stepping >= _COOPER_LAKE else "Cascade Lake"
    return found or f"family {family} model {model}"


def arm(implementer, part):
    """The microarchitecture of an Arm CPU; its numbers if it is unknown."""
    return _ARM.get((implementer, part), f"implementer {implementer} part {part}")


def all_names():
    """Every name in the tables above."""
    amd = (name for ranges in _AMD.values() for _, name in ranges)
    return {*amd, *_INTEL.values(), "Cascade Lake", "Cooper Lake", *_ARM.values()}
